"""Streams are found by how their names end, without looking at all of them, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent

from governance.event_store.connect import open_recorder
from governance.event_store.postgres_statements import PostgresStatements
from governance.event_store.recorder import EventRecorder
from governance.event_store.sqlite import _ENDING
from tests.contract.test_recorder_schema import run_sql


@pytest.fixture
def recorder(store_url: str) -> Iterator[EventRecorder]:
    recorder = open_recorder(store_url)
    yield recorder
    recorder.close()


def begin(recorder: EventRecorder, *streams: str, topic: str = "Created", versions: int = 2) -> None:
    """Put streams there that begin with the topic."""
    recorder.insert_events([
        StoredEvent(stream, version, topic if version == 1 else "Commented", b"{}")
        for stream in streams for version in range(1, versions + 1)
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("ending", "found"),
    [
        ("abcd", {"r-1-abcd", "r-2-abcd"}),
        ("2-abcd", {"r-2-abcd"}),
        ("r-2-abcd", {"r-2-abcd"}),
        ("xr-2-abcd", set()),
        ("3-abcd", set()),
        ("ABCD", set()),
        ("%bcd", set()),
        ("____", set()),
        ("'--\\", set()),
        ("ähnß", {"r-ähnß"}),
        ("abc", set()),
        ("", set()),
    ],
)
def test_streams_are_found_by_their_ending(recorder: EventRecorder, ending: str, found: set[str]) -> None:
    begin(recorder, "r-1-abcd", "r-2-abcd", "r-1-abce", "r-ähnß")
    begin(recorder, "s-3-abcd", topic="StateChanged")
    assert set(recorder.streams_ending(ending, "Created")) == found


def test_what_others_have_begun_is_found_too(recorder: EventRecorder, store_url: str) -> None:
    other = open_recorder(store_url)
    begin(other, "r-9-abcd")
    other.close()
    assert recorder.streams_ending("abcd", "Created") == ["r-9-abcd"]


def test_too_many_are_cut_off(recorder: EventRecorder) -> None:
    begin(recorder, *(f"r-{number}-abcd" for number in range(101)), versions=1)
    assert len(recorder.streams_ending("abcd", "Created")) == 100


def test_an_index_leads_there(recorder: EventRecorder, store_url: str) -> None:
    begin(recorder, *(f"r-{number:06d}" for number in range(2_000)), versions=1)
    plan = "".join(str(row) for row in explained(store_url))
    assert "governance_endings" in plan


def explained(url: str) -> list[Any]:
    if url.startswith("sqlite"):
        query = _ENDING.replace("?1", "'001234'").replace("?2", "'Created'")
        return run_sql(url, f"EXPLAIN QUERY PLAN {query}")
    run_sql(url, "ANALYZE governance_events")
    query = PostgresStatements("governance").ending.sql.decode()
    return run_sql(url, f"EXPLAIN {query.replace('$1', chr(39) + '001234' + chr(39)).replace('$2', chr(39) * 2)}")
