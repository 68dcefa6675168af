"""What is stored: every shape of event that was ever stored loads for ever, and nothing that is not an event loads."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import Notification, StoredEvent

from governance import Actor, GovernanceError, UnknownEventError, UnreadableEventError
from governance.domain.digest import digest
from governance.event_store.mapper import EnvelopeMapper
from governance.event_store.registry import EVENTS
from governance.event_store.upcasts import UPCASTS, upcast
from tests.stored import SAMPLES, sample

FIXTURES = Path(__file__).parent.parent / "fixtures" / "events"
SHAPES = FIXTURES / "shapes.json"
FILES = sorted(each.name.removesuffix(".json") for each in FIXTURES.glob("*.v*.json"))


def mapper() -> EnvelopeMapper:
    """Return the mapper under test; it uses no transcoder."""
    return EnvelopeMapper(None)  # type: ignore[arg-type]


def fixture(name: str) -> dict[str, Any]:
    """Return the envelope in a fixture."""
    envelope: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    return envelope


def encoded(envelope: object) -> bytes:
    """Return JSON as it is stored: no spaces, no escapes that are not needed."""
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


def stored(topic: str, state: bytes) -> StoredEvent:
    """Return stored bytes in a place of the sample."""
    place = sample(topic if topic in SAMPLES else "Approved")
    return StoredEvent(originator_id=place.stream, originator_version=place.version, topic=topic, state=state)


def current(topic: str) -> str:
    """Return the name of the fixture of today's shape of an event."""
    return f"{topic}.v{EVENTS[topic].schema_version}"


def test_every_event_has_a_sample_and_a_fixture_of_today_s_shape() -> None:
    assert set(SAMPLES) == set(EVENTS), "tests/stored.py holds one complete sample of every event"
    missing = [f"tests/fixtures/events/{current(topic)}.json" for topic in EVENTS if current(topic) not in FILES]
    texts = [f"{name}:\n{mapper().to_stored_event(sample(name.split('/')[-1].split('.')[0])).state.decode()}"
             for name in missing]  # fmt: skip
    assert not missing, "write these fixtures (any layout will do):\n" + "\n".join(texts)


def test_every_shape_between_the_first_and_today_s_has_a_fixture() -> None:
    expected = [
        f"{topic}.v{number}" for topic, event in EVENTS.items() for number in range(1, event.schema_version + 1)
    ]
    assert sorted(expected) == FILES, "a shape that was stored once is in stores for ever; its fixture has to stay"


@pytest.mark.parametrize("topic", EVENTS)
def test_stored_event_loads_as_exactly_what_it_was(topic: str) -> None:
    loaded = mapper().to_domain_event(stored(topic, encoded(fixture(current(topic)))))
    assert loaded == sample(topic)
    assert type(loaded.event) is EVENTS[topic]


@pytest.mark.parametrize("topic", EVENTS)
def test_event_is_stored_as_exactly_the_same_bytes(topic: str) -> None:
    written = mapper().to_stored_event(sample(topic))
    assert (written.topic, written.originator_id) == (topic, sample(topic).stream)
    assert written.state == encoded(fixture(current(topic)))


def test_events_stored_together_are_the_bytes_of_each_by_itself() -> None:
    others = [
        sample("Executed").model_copy(update={"by": Actor(id="ada")}),
        sample("Executed").model_copy(update={"at": datetime(2026, 3, 29, 1, tzinfo=UTC)}),
    ]
    together = [*map(sample, EVENTS), *others]
    assert mapper().to_stored_events(together) == [mapper().to_stored_event(each) for each in together]
    assert [mapper().to_domain_event(each) for each in mapper().to_stored_events(others)] == others


@pytest.mark.parametrize("name", FILES)
def test_every_shape_ever_stored_loads_and_is_written_in_today_s(name: str) -> None:
    topic = name.split(".", maxsplit=1)[0]
    loaded = mapper().to_domain_event(stored(topic, encoded(fixture(name))))
    rewritten = mapper().to_stored_event(loaded)
    assert json.loads(rewritten.state)["v"] == EVENTS[topic].schema_version
    assert mapper().to_domain_event(rewritten) == loaded


def _shape(schema: Any) -> Any:
    """Return a JSON schema without its words: names and descriptions of schemas say nothing of what is stored."""
    if isinstance(schema, dict):
        words = [key for key in ("title", "description") if isinstance(schema.get(key), str)]
        return {key: _shape(value) for key, value in schema.items() if key not in words}
    return [_shape(each) for each in schema] if isinstance(schema, list) else schema


def test_no_shape_changes_without_a_new_version() -> None:
    shapes = {current(topic): digest(_shape(event.model_json_schema(mode="serialization")))
              for topic, event in EVENTS.items()}  # fmt: skip
    known = json.loads(SHAPES.read_text(encoding="utf-8"))
    changed = {name: shape for name, shape in shapes.items() if known.get(name) != shape}
    assert not changed, (
        "The stored shape of these events has changed. If an event of the old shape can be in anybody's store, raise "
        "the event's schema_version, add the step to governance/event_store/upcasts.py, keep the old fixture and "
        "add one of the new shape. Then (or if it was never released) put these lines into "
        "tests/fixtures/events/shapes.json:\n" + json.dumps(changed, indent=2)
    )


def test_stored_form_is_readable_json_of_few_fields() -> None:
    for name in FILES:
        envelope = fixture(name)
        assert list(envelope) == ["type", "v", "at", "by", "correlation", "causation", "append", "data"]
        assert envelope["type"] == name.split(".")[0]
        assert envelope["at"] == "2026-03-02T09:30:15.123456Z"


def test_position_comes_from_the_store() -> None:
    place = stored("Approved", encoded(fixture(current("Approved"))))
    notification = Notification(
        id=77, originator_id=place.originator_id, originator_version=5, topic="Approved", state=place.state
    )
    assert mapper().to_domain_event(notification).position == 77


EVIL = [
    "evil_mod:X",
    "evil_mod",
    "os:system",
    "tests.evil_mod:X",
    "eventsourcing.domain:Snapshot",
    "governance.domain.events:Created",
    "Fact",
    "RequestEvent",
    "Recorded",
    "created",
    "CREATED",
    "Created ",
    "Created.v1",
    "__class__",
    "",
    "x" * 10_000,
]


@pytest.mark.parametrize("topic", EVIL, ids=lambda topic: repr(topic)[:30])
def test_unknown_topic_is_named_and_nothing_is_imported(topic: str) -> None:
    modules = set(sys.modules)
    for state in (encoded(fixture(current("Created"))), b"", b"{}", encoded({"type": topic, "v": 1, "data": {}})):
        with pytest.raises(UnknownEventError) as caught:
            mapper().to_domain_event(stored(topic, state))
        assert caught.value.ids["topic"] == topic
    assert set(sys.modules) == modules


@pytest.mark.parametrize("topic", ["Created", "Executed", "StateChanged"])
@pytest.mark.parametrize("newer", [1, 99, 10**30])
def test_shape_of_a_newer_program_is_refused(topic: str, newer: int) -> None:
    version = EVENTS[topic].schema_version + newer
    envelope = fixture(current(topic)) | {"v": version}
    with pytest.raises(UnknownEventError, match="newer program") as caught:
        mapper().to_domain_event(stored(topic, encoded(envelope)))
    assert caught.value.ids == {"topic": topic, "version": str(version)}


@pytest.mark.parametrize("version", [0, -1])
def test_shape_that_nothing_leads_from_is_refused(version: int) -> None:
    envelope = fixture(current("Created")) | {"v": version}
    with pytest.raises(UnknownEventError, match="no upcast"):
        mapper().to_domain_event(stored("Created", encoded(envelope)))


CREATED: dict[str, Any] = json.loads(mapper().to_stored_event(sample("Created")).state)


def _without(key: str) -> bytes:
    return encoded({name: value for name, value in CREATED.items() if name != key})


def _with(**others: object) -> bytes:
    return encoded(CREATED | others)


def _with_data(**others: object) -> bytes:
    return encoded(CREATED | {"data": CREATED["data"] | others})


DAMAGED = {
    "nothing": b"",
    "no JSON": b"{",
    "text": b'"x"',
    "list": b"[]",
    "null": b"null",
    "empty object": b"{}",
    "no UTF-8": b"\xff\xfe",
    "half": encoded(CREATED)[:-20],
    "twice": encoded(CREATED) * 2,
    "deep": b"[" * 100_000,
    "no version": _without("v"),
    "no data": _without("data"),
    "no time": _without("at"),
    "no actor": _without("by"),
    "no append id": _without("append"),
    "more": _with(more=1),
    "type of another event": _with(type="Approved"),
    "version as text": _with(v="1"),
    "version as truth": _with(v=True),
    "version as fraction": _with(v=1.5),
    "version as infinity": _with(v=float("inf")),
    "version as object": _with(v={}),
    "naive time": _with(at="2026-03-02T09:30:15"),
    "time as number": _with(at=1),
    "actor as text": _with(by="grace"),
    "actor with more": _with(by={"id": "x", "admin": True}),
    "data as list": _with(data=[]),
    "data as text": _with(data="x"),
    "data without anything": _with(data={}),
    "data with more": _with_data(more=1),
    "data of another type": _with_data(state_id=5),
    "data with a forged class": _with_data(requester={"__class__": "evil_mod:X"}),
    "old version, data as list": _with(v=0, data=[]),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_bytes_are_named_by_stream_and_version(case: str) -> None:
    modules = set(sys.modules)
    with pytest.raises(GovernanceError) as caught:
        mapper().to_domain_event(stored("Created", DAMAGED[case]))
    if case != "old version, data as list":
        assert caught.type is UnreadableEventError
        assert caught.value.ids == {"stream": sample("Created").stream, "version": "1"}
    assert set(sys.modules) == modules


@pytest.mark.parametrize("topic", [each for each in EVENTS if each != "Approved"])
def test_event_under_the_topic_of_another_is_damaged(topic: str) -> None:
    with pytest.raises(UnreadableEventError):
        mapper().to_domain_event(stored("Approved", encoded(fixture(current(topic)) | {"v": 1})))


def test_old_data_is_led_from_version_to_version() -> None:
    steps = {
        ("Thing", 1): lambda data: {"user": data["name"]},
        ("Thing", 2): lambda data: {**data, "until": None},
        ("Other", 3): lambda data: {"wrong": True},
    }
    assert upcast("Thing", {"name": "ada"}, version=1, target=3, steps=steps) == {"user": "ada", "until": None}
    assert upcast("Thing", {"user": "ada"}, version=2, target=3, steps=steps) == {"user": "ada", "until": None}
    assert upcast("Thing", {"x": 1}, version=3, target=3, steps=steps) == {"x": 1}
    with pytest.raises(UnknownEventError, match="no upcast leads to version 5"):
        upcast("Thing", {}, version=3, target=5, steps={("Thing", 3): lambda data: data})


def test_every_upcast_leads_somewhere() -> None:
    for topic, version in UPCASTS:
        assert version < EVENTS[topic].schema_version
