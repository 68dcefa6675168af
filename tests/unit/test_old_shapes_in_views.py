"""Views read every shape that was ever stored, as today's; what is stored is never rewritten."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec import Struct, structs

from governance.event_store.registry import EVENTS
from projections.events import Stored, decode
from tests.stored import sample
from tests.unit.test_stored_events import FIXTURES, mapper


def versions() -> list[Path]:
    """Return the fixtures of all shapes but today's."""
    found = []
    for path in sorted(FIXTURES.glob("*.v*.json")):
        topic, number = path.stem.split(".v")
        if int(number) < EVENTS[topic].schema_version:
            found.append(path)
    return found


def stored(topic: str, state: str) -> Stored:
    place = sample(topic)
    return (77, place.stream, place.version, topic, state)


@pytest.mark.parametrize("path", versions(), ids=lambda path: path.stem)
def test_old_shape_is_read_as_todays(path: Path) -> None:
    topic = path.stem.split(".")[0]
    old = json.dumps(json.loads(path.read_text("utf-8")), separators=(",", ":"), ensure_ascii=False)
    category, _, stream = sample(topic).stream.partition("-")
    row = stored(topic, old)
    event = decode(row, category, stream)
    assert event.v == EVENTS[topic].schema_version
    whole = SimpleNamespace(originator_id=row[1], originator_version=row[2], topic=topic, state=old.encode())
    recorded = mapper().to_domain_event(whole)  # type: ignore[arg-type]
    again = mapper().to_stored_event(recorded)
    assert _plain(event.data) == _plain(decode(stored(topic, again.state.decode()), category, stream).data)
    assert event.recorded().event == recorded.event


def _plain(data: object) -> object:
    return structs.asdict(data) if isinstance(data, Struct) else data


def test_there_are_old_shapes() -> None:
    assert versions()
