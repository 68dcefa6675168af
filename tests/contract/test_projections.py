"""What running views promises, on SQLite and PostgreSQL alike."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import pytest
from sqlalchemy import Column, text, update

from governance.domain.errors import ConfigurationError
from governance.event_store.connect import open_recorder
from projections import (
    VIEWS,
    LogMismatchError,
    NewerViewError,
    ProjectionError,
    Projections,
    Rows,
    UnknownViewError,
    View,
    ViewNotBuiltError,
    ViewOutdatedError,
    Views,
    WaitTimeoutError,
)
from projections.database import Database
from projections.events import AnyEvent
from projections.filters import Fields, Plain
from projections.locks import WorkLock
from projections.tables import GENERATIONS, KEY, POSITION, ViewTable
from tests.contract.test_projections_equality import tables_of
from tests.histories import START, Play

SEED = 11


@pytest.fixture
def play(store_url: str) -> Iterator[Play]:
    with Play(store_url, SEED) as play:
        play.commands(60)
        yield play


@pytest.fixture
def projections(play: Play, store_url: str) -> Iterator[Projections]:
    with Projections.open(store_url) as projections:
        projections.catch_up()
        yield projections


def damage(url: str, stream: str, version: int, topic: str = "Commented", state: str = '{"type"') -> int:
    """Store an event that cannot be read and return its position."""
    database = Database(url)
    schema = f"{database.event_schema}." if database.on_postgres else ""
    place = f"nextval('{schema}governance_positions')" if database.on_postgres else "NULL"
    insert = f"INSERT INTO {schema}governance_events VALUES ({place}, :stream, :version, :topic, :state)"
    with database.write() as connection:
        connection.execute(text(insert), {"stream": stream, "version": version, "topic": topic, "state": state})
    database.close()
    recorder = open_recorder(url)
    position = recorder.max_notification_id() or 0
    recorder.close()
    return position


def rewrite(url: str, **values: Any) -> None:
    """Change what is noted of the generations of the view `requests`."""
    database = Database(url)
    with database.write() as connection:
        connection.execute(update(GENERATIONS).where(GENERATIONS.c.view == "requests").values(**values))
    database.close()


class Streams(View[list[Any]]):
    """A user's own view: how many events each request has; it cannot take in comments while `broken`."""

    name = "streams"
    broken: Callable[[AnyEvent], bool] = staticmethod(lambda event: False)
    value: Callable[[str], str] = staticmethod(lambda value: value)
    tables: ClassVar[tuple[ViewTable, ...]] = (
        ViewTable(
            "streams",
            (Column("request_id", KEY), Column("events", POSITION), Column("last_by", KEY)),
            key=("request_id",),
            owner="request_id",
        ),
        ViewTable("streams_total", (Column("topic", KEY), Column("events", POSITION)), key=("topic",), written="added"),
    )
    fields: ClassVar[Fields] = {"request_id": Plain("request_id"), "events": Plain("events", "number")}
    sorts: ClassVar[Mapping[str, tuple[str, ...]]] = {"id": ("request_id",)}

    def begin(self, stream: str) -> list[Any]:
        return [stream, 0, ""]

    def apply(self, state: list[Any], event: AnyEvent, rows: Rows) -> None:
        state[1] += 1
        rows.add("streams_total", (event.topic, 1))
        if type(self).broken(event):
            raise ValueError("this view has a bug")
        state[2] = event.recorded().by.id

    def settle(self, state: list[Any], rows: Rows) -> None:
        rows.add("streams", (state[0], state[1], type(self).value(state[2])))


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> type[Streams]:
    return type("Streams", (Streams,), {})


def test_a_command_can_be_read_back(projections: Projections, store_url: str, play: Play) -> None:
    with Views.open(store_url) as views:
        play.commands(10)
        position = play.governance.log.head()
        with pytest.raises(WaitTimeoutError):
            views.wait_for(position, timeout=0.05)
        projections.catch_up()
        assert views.wait_for(position, timeout=1) >= position
        assert views.requests(limit=1).position >= position


def test_nothing_is_read_before_a_view_is_built(play: Play, store_url: str) -> None:
    with Views.open(store_url) as views, pytest.raises(ViewNotBuiltError):
        views.requests()
    with Projections.open(store_url) as projections, Views.open(store_url) as views:
        with pytest.raises(ViewNotBuiltError):
            views.position()
        assert {each.health for each in projections.status()} == {"not built"}
        projections.catch_up("requests")
        assert views.requests().items
        with pytest.raises(ViewNotBuiltError):
            views.decisions()


def test_what_is_not_there_is_refused(projections: Projections, store_url: str) -> None:
    with pytest.raises(UnknownViewError):
        projections.catch_up("no such view")
    with pytest.raises(ConfigurationError):
        Projections.open("sqlite:////no/such/file.db")
    with pytest.raises(ConfigurationError):
        Projections.open("sqlite://")


def test_a_damaged_event_is_parked_and_everything_else_goes_on(
    projections: Projections, play: Play, store_url: str
) -> None:
    stream = next(each.stream for each in play.history() if each.stream.startswith("mutationRequest-"))
    before = max(each.version for each in play.history() if each.stream == stream)
    bad = damage(store_url, stream, before + 1)
    unknown = damage(store_url, "mutationRequest-00000000-0000-7000-8000-00000000000f", 1, topic="Unheard", state="{}")
    play.commands(20)
    projections.catch_up()
    parked = {(each.view, each.position) for each in projections.parked()}
    takers = {view.name for view in VIEWS if view.category == "mutationRequest"}
    assert {name for name, position in parked if position == unknown} == takers
    assert ("requests", bad) in parked
    status = next(each for each in projections.status() if each.view == "requests")
    assert (status.health, status.parked) == ("stuck", 2)
    assert status.position == play.governance.log.head()
    with pytest.raises(Exception, match="damaged"):
        projections.retry("requests", bad)
    for view, position in parked:
        projections.skip(view, position)
    assert {each.health for each in projections.status()} == {"up to date"}
    with pytest.raises(ProjectionError):
        projections.skip("requests", 1)


def test_an_event_that_meets_a_bug_is_parked_and_taken_in_once_the_bug_is_gone(
    play: Play, store_url: str, own: type[Streams]
) -> None:
    own.broken = staticmethod(lambda event: event.topic == "PoliciesEvaluated" and event.position % 2 == 0)
    views = (*VIEWS, own)
    with Projections.open(store_url, views=views) as projections:
        projections.catch_up("streams", batch=9)
        parked = projections.parked("streams")
        assert parked
        assert {each.tries for each in parked} == {3}
        assert all("ValueError: this view has a bug" in each.error for each in parked)
        own.broken = staticmethod(lambda event: False)
        for each in parked:
            projections.retry("streams", each.position)
        assert projections.parked("streams") == ()
        projections.rebuild("streams", switch=False)
        assert projections.diff("streams").equal


def test_rows_that_the_database_refuses_park_one_event(play: Play, store_url: str, own: type[Streams]) -> None:
    counted = len({each.stream for each in play.history() if each.stream.startswith("mutationRequest-")})
    refused = play.history()[0].stream.partition("-")[2]
    own.settle = lambda self, state, rows: rows.add(  # type: ignore[method-assign]
        "streams", (state[0], state[1] if state[0] != refused else 2**70, "")
    )
    with Projections.open(store_url, views=(own,)) as projections:
        projections.catch_up()
        of_stream = sum(each.stream.endswith(refused) for each in play.history())
        assert len(projections.parked()) == of_stream
    with Views.open(store_url, views=(own,)) as views:
        assert len(views.rows("streams", limit=1_000).items) == counted - 1


def test_a_log_that_is_not_the_one_that_was_read_is_refused(projections: Projections, store_url: str) -> None:
    rewrite(store_url, anchor="somebody else")
    with Projections.open(store_url) as fresh:
        with pytest.raises(LogMismatchError, match="another event"):
            fresh.catch_up()
        rewrite(store_url, position=999_999)
        with pytest.raises(LogMismatchError, match="no event"):
            fresh.catch_up("requests")
        assert next(each for each in fresh.status() if each.view == "requests").health == "stuck"


def test_rows_of_another_definition_are_never_mixed(projections: Projections, play: Play, store_url: str) -> None:
    rewrite(store_url, version=99)
    with Views.open(store_url) as views:
        with Projections.open(store_url) as fresh, pytest.raises(NewerViewError):
            fresh.catch_up("requests")
        with pytest.raises(NewerViewError):
            views.requests()
        rewrite(store_url, version=1, shape="an older one")
        with Projections.open(store_url) as fresh:
            with pytest.raises(ViewOutdatedError):
                fresh.catch_up()
            assert next(each for each in fresh.status() if each.view == "requests").health == "outdated"
            fresh.rebuild("requests")
            assert fresh.catch_up() == play.governance.log.head()
        assert views.requests().items


def test_a_view_has_one_runner_and_the_other_waits(projections: Projections, play: Play, store_url: str) -> None:
    projections.release()
    other = Database(store_url)
    lock = WorkLock(other, "requests")
    assert lock.take()
    play.commands(10)
    waiting = threading.Thread(target=projections.catch_up)
    waiting.start()
    time.sleep(0.3)
    assert waiting.is_alive()
    with Projections.open(store_url) as watching:
        holder = next(each.holder for each in watching.status() if each.view == "requests")
    assert holder is not None
    assert other.holder in holder
    lock.give_back()
    waiting.join(timeout=10)
    assert not waiting.is_alive()
    other.close()


def test_two_runners_at_once_count_nothing_twice(play: Play, store_url: str) -> None:
    def catch_up() -> None:
        with Projections.open(store_url) as projections:
            for _ in range(3):
                projections.catch_up(batch=5)

    runners = [threading.Thread(target=catch_up) for _ in range(2)]
    for runner in runners:
        runner.start()
    play.commands(40)
    for runner in runners:
        runner.join(timeout=60)
    with Projections.open(store_url) as projections:
        projections.catch_up()
        caught_up = tables_of(store_url)
        projections.rebuild()
    assert tables_of(store_url) == caught_up


def test_a_rebuild_is_beside_the_live_rows_until_it_is_switched_to(
    projections: Projections, play: Play, store_url: str
) -> None:
    with Views.open(store_url) as views:
        database = Database(store_url)
        with database.write() as connection:
            connection.execute(text("UPDATE view_requests_1 SET reason = 'tampered with'"))
        database.close()
        projections.rebuild("requests", switch=False)
        assert {row.reason for row in views.requests().items} == {"tampered with"}
        difference = projections.diff("requests").tables[0]
        assert difference.changed == len(views.requests(limit=1_000).items)
        assert (difference.added, difference.removed, len(difference.samples["changed"])) == (0, 0, 5)
        projections.switch("requests")
        assert {row.reason for row in views.requests().items} != {"tampered with"}
        play.commands(5)
        projections.catch_up()
        projections.rollback("requests")
        assert views.requests(limit=1).position == play.governance.log.head()
        assert projections.drop("requests") == 1
        with pytest.raises(ViewNotBuiltError):
            projections.rollback("requests")


def test_a_build_that_was_broken_off_is_taken_up_again(projections: Projections, play: Play, store_url: str) -> None:
    class BrokenOffError(Exception):
        pass

    def break_off(building: Any) -> None:
        raise BrokenOffError

    with pytest.raises(BrokenOffError):
        projections.rebuild("requests", report=break_off)
    play.commands(10)
    (built,) = projections.rebuild("requests")
    assert (built.generation, built.position) == (2, play.governance.log.head())


def test_a_paused_view_stays_where_it_is(projections: Projections, play: Play) -> None:
    projections.pause("states")
    before = play.governance.log.head()
    play.commands(20)
    projections.catch_up()
    status = {each.view: each for each in projections.status()}
    assert (status["states"].health, status["states"].position) == ("paused", before)
    assert status["changes"].health == "up to date"
    projections.resume("states")
    projections.catch_up()
    assert {each.position for each in projections.status()} == {play.governance.log.head()}


def test_a_live_view_follows_at_once_and_survives_lost_connections(
    projections: Projections, play: Play, store_url: str
) -> None:
    projections.release()
    stop = threading.Event()

    def run() -> None:
        with Projections.open(store_url) as live:
            live.run(stop)

    running = threading.Thread(target=run)
    running.start()
    try:
        with Views.open(store_url) as views:
            for _ in range(5):
                play.commands(3)
                views.wait_for(play.governance.log.head(), timeout=5)
            end_all_sessions(store_url)
            play.clock.now = max(play.clock.now, START)
            play.commands(5)
            views.wait_for(play.governance.log.head(), timeout=10)
    finally:
        stop.set()
        running.join(timeout=10)
    assert not running.is_alive()


def end_all_sessions(url: str) -> None:
    """End every session of the projections, as a restart of the server does."""
    database = Database(url)
    if database.on_postgres:
        with database.write() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'projections%' AND pid <> pg_backend_pid()"
                )
            )
    database.close()
