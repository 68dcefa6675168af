"""A rebuild stores a page while it folds the next: what goes wrong with one is put right before the other counts."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any, ClassVar

import pytest
from sqlalchemy import update

from governance.domain.errors import StoreUnavailableError
from projections import VIEWS, Projections, Rows, Views
from projections.database import Database
from projections.errors import LostRaceError
from projections.events import AnyEvent
from projections.rebuild import Building, Report
from projections.tables import GENERATIONS, ViewTable
from projections.writing import write_batch
from tests.contract.test_projections import Streams
from tests.contract.test_projections_equality import tables_of
from tests.histories import Play

PAGE = 7


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BUILD_EVENTS", "SQLITE_BUILD_EVENTS"):
        monkeypatch.setattr(f"projections.rebuild.{name}", PAGE)


@pytest.fixture
def play(store_url: str) -> Iterator[Play]:
    with Play(store_url, 21) as play:
        play.commands(60)
        yield play


class BrokenOffError(Exception):
    """What a report raises to break a rebuild off."""


class Ahead(Streams):
    """The same rows, of a view that is ahead of the other."""

    name = "ahead"
    tables: ClassVar[tuple[ViewTable, ...]] = (replace(Streams.tables[0], name="ahead"),)

    def apply(self, state: list[Any], event: AnyEvent, rows: Rows) -> None:
        del event, rows
        state[1] += 1

    def settle(self, state: list[Any], rows: Rows) -> None:
        rows.add("ahead", (*state[:2], ""))


def after(pages: int) -> Report:
    """Return a report that breaks off after so many pages."""
    left = iter(range(pages - 1))

    def report(building: Building) -> None:
        if next(left, None) is None:
            raise BrokenOffError

    return report


@pytest.mark.parametrize("page", [1, 2, PAGE, 50])
def test_pages_of_any_size_give_the_same_rows(
    play: Play, store_url: str, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BUILD_EVENTS", "SQLITE_BUILD_EVENTS"):
        monkeypatch.setattr(f"projections.rebuild.{name}", page)
    with Projections.open(store_url) as projections:
        projections.catch_up("requests")
        projections.catch_up()
        play.commands(20)
        projections.catch_up()
        caught_up = tables_of(store_url)
        projections.rebuild()
    assert tables_of(store_url) == caught_up


@pytest.fixture
def poison(play: Play) -> set[int]:
    """Return positions of events: some with more of their stream in the next page, two neighbours, and the last."""
    history = play.history()
    found = {
        event.position or 0
        for place, event in enumerate(history)
        if any(other.stream == event.stream for other in history[(place // PAGE + 1) * PAGE :][:PAGE])
    }
    taken = [each.position or 0 for each in history if each.stream.startswith("mutationRequest-")]
    assert len(found) > 3
    return {*sorted(found)[::3], *taken[10:12], taken[-1]}


@pytest.fixture
def picky(poison: set[int]) -> type[Streams]:
    """Return a view with a row for each request, and one that no database takes for every event that is poison."""

    class Picky(Streams):
        def apply(self, state: list[Any], event: AnyEvent, rows: Rows) -> None:
            super().apply(state, event, rows)
            if event.position in poison:
                rows.add("streams_total", (event.topic, 2**70))

    return Picky


def check(projections: Projections, picky: type[Streams], play: Play, url: str, poison: set[int]) -> None:
    """Check that exactly the poison is left out of the view."""
    taken = [each for each in play.history() if each.stream.startswith("mutationRequest-")]
    assert {each.position for each in projections.parked()} == {each.position for each in taken} & poison
    counted = Counter(each.stream.partition("-")[2] for each in taken if each.position not in poison)
    with Views.open(url, views=(*VIEWS, picky)) as views:
        rows = views.rows("streams", limit=1_000).items
    assert {row["request_id"]: row["events"] for row in rows} == counted


def test_events_whose_rows_are_refused_are_parked_and_no_other(
    play: Play, store_url: str, picky: type[Streams], poison: set[int]
) -> None:
    with Projections.open(store_url, views=(*VIEWS, picky)) as projections:
        (built,) = projections.rebuild("streams")
        assert built.position == play.governance.log.head()
        check(projections, picky, play, store_url, poison)


def test_a_page_that_is_refused_while_the_rebuild_is_broken_off_is_folded_again(
    play: Play, store_url: str, picky: type[Streams], poison: set[int]
) -> None:
    with Projections.open(store_url, views=(*VIEWS, picky)) as projections:
        while True:
            try:
                projections.rebuild("streams", report=after(2))
            except BrokenOffError:
                continue
            break
        check(projections, picky, play, store_url, poison)


def test_what_was_under_way_when_a_rebuild_was_broken_off_is_stored_or_done_again(play: Play, store_url: str) -> None:
    with Projections.open(store_url) as projections:
        projections.catch_up()
        caught_up = tables_of(store_url)
        for pages in (1, 2, 3):
            with pytest.raises(BrokenOffError):
                projections.rebuild(report=after(pages))
        projections.rebuild()
        assert tables_of(store_url) == caught_up


def test_a_rebuild_whose_checkpoint_somebody_else_moves_stops_and_can_be_taken_up(play: Play, store_url: str) -> None:
    with Projections.open(store_url) as projections:
        projections.catch_up()
        caught_up = tables_of(store_url)

        def move(building: Building) -> None:
            del building
            database = Database(store_url)
            with database.write() as connection:
                mine = (GENERATIONS.c.view == "requests") & (GENERATIONS.c.status == "building")
                connection.execute(update(GENERATIONS).where(mine).values(position=10**6))
            database.close()

        with pytest.raises(LostRaceError):
            projections.rebuild("requests", report=move)
        projections.drop("requests")
        projections.rebuild()
        assert tables_of(store_url) == caught_up


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_a_page_that_could_not_be_stored_counts_once(
    play: Play, store_url: str, pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = count(1)

    def often_away(*given: Any) -> None:
        if next(tries) % 5 == 0:
            raise StoreUnavailableError("the database is away")
        write_batch(*given)

    monkeypatch.setattr("projections.advancing.write_batch", often_away)
    with Projections.open(store_url, views=(*VIEWS, Streams)) as projections:
        while True:
            try:
                projections.rebuild("streams", report=after(pages))
            except (BrokenOffError, StoreUnavailableError):
                continue
            break
        check(projections, Streams, play, store_url, set())


@pytest.mark.parametrize("away", [False, True])
def test_a_view_that_joins_behind_a_page_that_is_not_stored_takes_its_own_page_in_once(
    play: Play, store_url: str, picky: type[Streams], poison: set[int], away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(place // PAGE for place, event in enumerate(play.history()) if event.position in poison)
    with Projections.open(store_url, views=(*VIEWS, picky, Ahead)) as projections:
        with pytest.raises(BrokenOffError):
            projections.rebuild("ahead", report=after(first + 1))
        tries = count(1)

        def away_once(*given: Any) -> None:
            if away and next(tries) == first + 1:
                raise StoreUnavailableError("the database is away")
            write_batch(*given)

        monkeypatch.setattr("projections.advancing.write_batch", away_once)
        if away:
            with pytest.raises(StoreUnavailableError):
                projections.rebuild("streams", "ahead")
        projections.rebuild("streams", "ahead")
        check(projections, picky, play, store_url, poison)
    taken = [each for each in play.history() if each.stream.startswith("mutationRequest-")]
    with Views.open(store_url, views=(*VIEWS, Ahead)) as views:
        rows = views.rows("ahead", limit=1_000).items
    assert {row["request_id"]: row["events"] for row in rows} == Counter(
        each.stream.partition("-")[2] for each in taken
    )
