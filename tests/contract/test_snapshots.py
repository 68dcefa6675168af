"""Long requests from snapshots: whatever is there, damaged, outdated or missing, it is what the events have made."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from pydantic import JsonValue

from governance import Governance, StoreUnavailableError
from governance.domain.story import Story
from governance.event_store.snapshots import Snapshot
from governance.snapshots import BEHIND, SHORT
from governance.streams import request_stream
from tests.cases import ALAN, GRACE, Add
from tests.commands import Gov
from tests.contract.test_long_streams import lengthened, rows_read
from tests.contract.test_recorder_schema import run_sql
from tests.postgres_stores import Store
from tests.processes import processes, race, reach
from tests.snapshot_cases import LONG, TWO_LEADS, from_snapshot, long_request, looked, opened, snapshot

pytestmark = pytest.mark.as_application


@pytest.fixture
def waiting(store_url: str) -> str:
    """Give the id of a long request that waits for two leads; nobody has looked at it."""
    with opened(store_url) as gov:
        return long_request(gov)


@pytest.fixture
def kept(store_url: str, waiting: str) -> str:
    """Give the id of a long request of which there is a snapshot."""
    assert looked(store_url, waiting)["version"] == LONG
    assert snapshot(store_url, waiting)
    return waiting


@pytest.fixture
def fresh(store_url: str) -> Iterator[Governance]:
    """Another program, which has nothing in memory."""
    with opened(store_url) as gov:
        yield gov


def test_request_is_the_same_from_its_events_and_from_a_snapshot(waiting: str, store_url: str) -> None:
    with opened(store_url) as gov:
        told = gov.request(waiting)
        assert not isinstance(told.decisions, Story)
    with opened(store_url) as gov:
        request = gov.request(waiting)
        assert isinstance(request.decisions, Story)
        assert request.decisions[-3:] == told.decisions[-3:]
        assert request == told
        assert request.model_dump_json() == told.model_dump_json()
        assert gov.explain(waiting) == gov.explain(waiting)
    assert looked(store_url, waiting) == json.loads(told.model_dump_json())


def test_command_line_shows_the_same_from_a_snapshot(waiting: str, store_url: str) -> None:
    gov = Gov(store_url)
    for what in ("show", "why"):
        told, again = (gov(what, waiting, "--json").json for _ in range(2))
        assert told == again
        assert gov(what, waiting).code == 0
    assert len(gov("show", waiting, "--json").json["request"]["decisions"]) == LONG
    assert from_snapshot(store_url, waiting)


def test_nothing_is_kept_of_a_short_request(store_url: str, fresh: Governance, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(store_url) as gov:
        asked = gov.submit(Add(amount=1), state_id="c", actor=GRACE, reason="r", requires=(TWO_LEADS,))
        gov.comment(asked.id, actor=GRACE, text="still waiting")
        lengthened(gov, request_stream(asked.id), SHORT - 1)
    rows = rows_read(fresh, monkeypatch)
    assert fresh.request(asked.id).version == SHORT - 1
    assert rows == [SHORT - 1]
    assert snapshot(store_url, asked.id) is None


@pytest.mark.parametrize("more", [1, BEHIND, BEHIND + 1, 3 * BEHIND])
def test_newer_snapshot_is_kept_when_one_is_far_behind(kept: str, store_url: str, more: int) -> None:
    with opened(store_url) as gov:
        for number in range(more):
            gov.comment(kept, actor=ALAN, text=f"number {number}")
    assert looked(store_url, kept)["version"] == LONG + more
    found = snapshot(store_url, kept)
    assert found is not None
    assert found.version == (LONG if more <= BEHIND else LONG + more)
    assert len(looked(store_url, kept)["decisions"]) == LONG + more


USELESS = {
    "of other code": "UPDATE governance_snapshots SET code = 'other'",
    "damaged": "UPDATE governance_snapshots SET body = substr(body, 1, length(body) - 5)",
    "empty": "UPDATE governance_snapshots SET body = ''",
    "an object of nothing": "UPDATE governance_snapshots SET body = '{}'",
    "with more than it should have": "UPDATE governance_snapshots SET body = '{\"x\":1,' || substr(body, 2)",
    "ahead of the stream": "UPDATE governance_snapshots SET version = 999",
    "far ahead": "UPDATE governance_snapshots SET version = 9223372036854775807",
    "behind what is in it": "UPDATE governance_snapshots SET version = 7",
    "of no version": "UPDATE governance_snapshots SET version = 0",
    "below any version": "UPDATE governance_snapshots SET version = -9",
    "of another place in the log": "UPDATE governance_snapshots SET position = position + 1",
}


@pytest.mark.parametrize("change", USELESS.values(), ids=USELESS)
def test_useless_snapshot_is_not_read_and_put_right(kept: str, store_url: str, change: str) -> None:
    told = looked(store_url, kept)
    run_sql(store_url, change)
    assert not from_snapshot(store_url, kept)
    assert from_snapshot(store_url, kept)
    run_sql(store_url, change)
    assert looked(store_url, kept) == looked(store_url, kept) == told


def test_snapshot_of_another_request_is_not_read(kept: str, store_url: str) -> None:
    with opened(store_url) as gov:
        other = long_request(gov, "d")
    looked(store_url, other)
    mine, others = snapshot(store_url, kept), snapshot(store_url, other)
    assert mine is not None
    assert others is not None
    with opened(store_url) as gov:
        gov.log.event_recorder.snapshots().put(others._replace(stream=mine.stream), instead_of=mine.version)
    assert looked(store_url, kept)["state_id"] == "c"
    assert from_snapshot(store_url, kept)


def test_snapshots_can_be_thrown_away(kept: str, store_url: str, owner_url: str) -> None:
    told = looked(store_url, kept)
    run_sql(owner_url, "DELETE FROM governance_snapshots")
    assert looked(store_url, kept) == told
    run_sql(owner_url, "DROP TABLE governance_snapshots")
    assert looked(store_url, kept) == told


def test_lines_of_a_store_that_is_closed_are_there_only_if_they_were_read(kept: str, store_url: str) -> None:
    with opened(store_url) as gov:
        request, other = gov.request(kept), gov.request(kept)
        assert request.decisions[0].code == "Created"
    assert other.decisions[1].version == 2
    with opened(store_url) as gov:
        request = gov.request(kept)
    assert request.decisions[-1].version == LONG
    with pytest.raises(StoreUnavailableError):
        request.decisions[0]


def test_changed_code_reads_no_snapshot_of_earlier_code(
    kept: str, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("governance.snapshots.code_digest", lambda: "tomorrow's")
    with opened(store_url) as gov:
        rows = rows_read(gov, monkeypatch)
        assert not isinstance(gov.request(kept).decisions, Story)
        assert rows == [SHORT, LONG]
    found = snapshot(store_url, kept)
    assert found is not None
    assert found.code == "tomorrow's"


def test_without_sources_of_the_code_nothing_is_kept(
    waiting: str, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("governance.snapshots.code_digest", lambda: None)
    assert looked(store_url, waiting)["version"] == LONG
    assert snapshot(store_url, waiting) is None


@pytest.mark.parametrize("first", [3, 5])
def test_snapshot_of_an_earlier_version_replaces_none_but_the_one_it_is_to(store_url: str, first: int) -> None:
    with opened(store_url) as gov:
        table = gov.log.event_recorder.snapshots()

        def put(version: int, body: str, instead_of: int) -> tuple[int, str]:
            table.put(Snapshot("s-1", version, version, "c", body), instead_of)
            found = table.find("s-1")
            assert found is not None
            return found.version, found.body

        assert table.find("s-1") is None
        assert put(first, "a", 0) == (first, "a")
        assert put(7, "wø€🚀", 0) == (7, "wø€🚀")
        assert put(6, "c", 0) == (7, "wø€🚀")
        assert put(6, "c", first) == (7, "wø€🚀")
        assert put(7, "d", 0) == (7, "d")
        assert put(6, "e", 7) == (6, "e")


def test_eight_processes_that_look_at_once_see_and_keep_the_same(waiting: str, store_url: str) -> None:
    given: list[dict[str, JsonValue]] = [{"url": store_url, "request_id": waiting}] * 8
    endings = race("tests.contract.test_snapshots:looked", given)
    assert [each.traceback for each in endings] == [""] * 8
    assert all(each.returned == endings[0].returned for each in endings)
    assert from_snapshot(store_url, waiting)


def looked_slowly(url: str, request_id: str) -> int:
    """Look at a request, and stand still before and after the snapshot is stored."""
    with opened(url) as gov:
        table = gov.log.event_recorder.snapshots()

        def slowly(*given: Any, **named: Any) -> None:
            reach("folded")
            table.put(*given, **named)
            reach("stored")

        assert gov._repository._snapshots is not None
        gov._repository._snapshots._table = lambda: _Slow(table, slowly)  # type: ignore[method-assign,assignment,return-value]
        return gov.request(request_id).version


class _Slow:
    def __init__(self, table: Any, put: Callable[..., None]) -> None:
        self.find, self.put = table.find, put


@pytest.mark.parametrize("point", ["folded", "stored"])
def test_program_killed_around_storing_a_snapshot_leaves_all_or_none_of_it(
    waiting: str, store_url: str, point: str
) -> None:
    with processes("tests.contract.test_snapshots:looked_slowly", [{"url": store_url, "request_id": waiting}]) as [one]:
        one.start()
        one.wait_until("folded")
        if point == "stored":
            one.start()
            one.wait_until("stored")
        one.kill()
    assert (snapshot(store_url, waiting) is not None) == (point == "stored")
    assert looked(store_url, waiting)["version"] == LONG
    assert from_snapshot(store_url, waiting)


def test_forked_child_reads_and_stores_snapshots_on_connections_of_its_own(
    kept: str, store_url: str, fresh: Governance
) -> None:
    assert fresh.request(kept).version == LONG
    with opened(store_url) as gov:
        other = long_request(gov, "d")
    child = os.fork()
    if child == 0:
        stored = 1
        with suppress(Exception):
            stored = int(fresh.request(other).version != LONG)
            fresh.close()
        os._exit(stored)
    assert fresh.request(kept).decisions[0].code == "Created"
    assert os.waitpid(child, 0)[1] == 0
    assert from_snapshot(store_url, other)


@contextmanager
def held(url: str) -> Iterator[None]:
    """Let nobody write snapshots for a while."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None) as file:
            file.execute("BEGIN IMMEDIATE")
            yield
        file.close()
        return
    with psycopg.connect(url) as server:
        server.execute("LOCK TABLE governance.governance_snapshots IN SHARE ROW EXCLUSIVE MODE")
        yield
        server.rollback()


def test_snapshot_that_cannot_be_stored_is_no_error(waiting: str, store_url: str, fresh: Governance) -> None:
    with held(store_url):
        assert fresh.request(waiting).version == LONG
    assert looked(store_url, waiting)["version"] == LONG


def test_role_that_may_not_touch_snapshots_sees_the_same(postgres_store: Store) -> None:
    with opened(postgres_store.role_url) as gov:
        asked = long_request(gov)
    told = looked(postgres_store.role_url, asked)
    with psycopg.connect(postgres_store.url, autocommit=True) as owner:
        owner.execute("UPDATE governance.governance_snapshots SET code = 'other'")
        [role] = owner.execute(
            "SELECT grantee FROM information_schema.role_table_grants"
            " WHERE table_name = 'governance_snapshots' AND grantee LIKE 'app_%' LIMIT 1"
        ).fetchall()
        for right in ("UPDATE, INSERT", "SELECT"):
            owner.execute(f'REVOKE {right} ON governance.governance_snapshots FROM "{role[0]}"')
            with opened(postgres_store.role_url) as gov:
                request = gov.request(asked)
                assert (json.loads(request.model_dump_json()), gov.explain(asked).request_id) == (told, asked)
