"""A rebuild that processes share leads to what one of them alone leads to, or to an error and nothing new."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from multiprocessing import Pipe, active_children
from typing import Any

import pytest

from governance.domain.errors import ConfigurationError
from projections import VIEWS, ProjectionError, Projections, ViewBusyError
from projections.database import Database
from projections.locks import WorkLock
from projections.rebuild import Building
from projections.shares import build, rebuild_shared, shared
from tests.contract.test_projections_equality import check_against_folds, tables_of
from tests.histories import Play

NAMES = tuple(view.name for view in VIEWS)


@pytest.fixture
def play(store_url: str) -> Iterator[Play]:
    with Play(store_url, 33) as play:
        play.commands(60)
        yield play


@pytest.fixture
def projections(play: Play, store_url: str) -> Iterator[Projections]:
    with Projections.open(store_url) as projections:
        projections.catch_up()
        yield projections


@pytest.mark.parametrize("jobs", [1, 2, 3, 8, 50])
def test_each_view_is_in_one_lot_and_no_lot_has_much_more_work_than_another(jobs: int) -> None:
    views = {view.name: view() for view in VIEWS}
    lots = shared(views, NAMES, jobs)
    assert sorted(name for lot in lots for name in lot) == sorted(NAMES)
    assert len(lots) == min(jobs, len(NAMES))
    work = [sum(views[name].weight for name in lot) for lot in lots]
    assert max(work) - min(work) <= max(view.weight for view in VIEWS)


@pytest.mark.parametrize("jobs", [2, 3])
def test_processes_that_share_a_rebuild_lead_to_the_same_rows(
    projections: Projections, play: Play, store_url: str, jobs: int
) -> None:
    play.commands(20)
    projections.catch_up()
    caught_up, told = tables_of(store_url), list[Building]()
    built = projections.rebuild(jobs=jobs, report=told.append)
    assert [(each.view, each.generation, each.position, each.switched) for each in built] == [
        (name, 2, play.governance.log.head(), True) for name in NAMES
    ]
    assert tables_of(store_url) == caught_up
    assert told[-1].position == told[-1].head == play.governance.log.head()
    check_against_folds(store_url, play)
    assert not active_children()


def test_what_was_built_by_several_stays_beside_the_live_rows_until_it_is_switched_to(
    projections: Projections, play: Play
) -> None:
    play.commands(5)
    built = projections.rebuild("requests", "states", switch=False, jobs=2)
    assert [(each.view, each.switched) for each in built] == [("requests", False), ("states", False)]
    projections.catch_up()
    assert projections.diff("requests").equal
    assert projections.switch("requests").generation == 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_view_that_is_named_twice_is_built_once(projections: Projections, store_url: str, jobs: int) -> None:
    live = tables_of(store_url)
    built = projections.rebuild("requests", "states", "requests", jobs=jobs)
    assert [each.view for each in built] == ["requests", "states"]
    assert tables_of(store_url) == live


def test_one_process_at_least(projections: Projections) -> None:
    with pytest.raises(ConfigurationError, match="at least one process, not 0"):
        projections.rebuild(jobs=0)


def test_a_view_that_somebody_else_builds_ends_them_all(projections: Projections, store_url: str) -> None:
    live = tables_of(store_url)
    database = Database(store_url)
    other = WorkLock(database, "build states")
    assert other.take()
    try:
        with pytest.raises(ViewBusyError) as refused:
            projections.rebuild(jobs=2)
        assert refused.value.ids == {"view": "states"}
    finally:
        other.give_back()
        database.close()
    assert not active_children()
    assert tables_of(store_url) == live
    projections.rebuild(jobs=2)
    assert tables_of(store_url) == live


def test_a_process_that_is_killed_is_told_of_and_its_work_taken_up(projections: Projections, store_url: str) -> None:
    def kill() -> None:
        for child in active_children():
            child.kill()

    live = tables_of(store_url)
    with pytest.raises(ProjectionError, match="was ended; what it has done is taken up again"):
        rebuild_shared(partial(Projections.open, store_url), [["requests"], ["states"]], kill)
    assert not active_children()
    projections.rebuild("requests", "states", jobs=2)
    assert tables_of(store_url) == live


def test_a_report_that_fails_ends_the_processes(projections: Projections, store_url: str) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild_shared(partial(Projections.open, store_url), [["requests"], ["states"]], fail)
    assert not active_children()


def test_a_process_whose_parent_is_gone_stops(
    projections: Projections, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *given: None)
    mine, theirs = Pipe(duplex=False)
    again = partial(Projections.open, store_url)
    with pytest.raises(SystemExit):
        build(again, ["requests"], theirs, parent=0)
    assert not mine.poll()
    build(again, ["requests"], theirs, parent=os.getppid())
    told: Any = mine.recv()
    assert [(each.view, each.generation) for each in told] == [("requests", 2)]


def test_what_no_error_of_ours_is_is_told_as_one(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *given: None)

    def fail() -> Projections:
        raise RuntimeError("out of luck")

    mine, theirs = Pipe(duplex=False)
    build(fail, ["requests", "states"], theirs, parent=os.getppid())
    assert str(mine.recv()) == "building requests, states failed: RuntimeError: out of luck"
