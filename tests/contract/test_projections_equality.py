"""Any history gives the same rows by catching up in batches of any size, by rebuild, and by an independent fold."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
from sqlalchemy import select

from projections import VIEWS, Page, Projections, Views
from projections.database import Database
from projections.generations import generations
from tests import folds
from tests.histories import Play

EVERY_ROW = 1_000


def tables_of(url: str) -> dict[str, Counter[tuple[Any, ...]]]:
    """Return every row of every table of the live generations."""
    database = Database(url)
    try:
        with database.read() as connection:
            live = {each.view: each.generation for each in generations(connection) if each.status == "live"}
            return {
                table.name: Counter(
                    tuple(round(value, 6) if isinstance(value, float) else repr(value) for value in row)
                    for row in connection.execute(select(table.generation(live[view.name])))
                )
                for view in VIEWS
                for table in view.tables
            }
    finally:
        database.close()


def in_pieces(url: str, seed: int, pieces: int, batch: int) -> None:
    """Play, and catch up now and then, every time with new projections that remember nothing."""
    with Play(url, seed) as play:
        for _ in range(pieces):
            play.commands(40)
            with Projections.open(url) as projections:
                projections.catch_up(batch=batch)


def every(listed: Callable[..., Page[Any]]) -> list[Any]:
    """Return the rows of all pages."""
    rows: list[Any] = []
    after: str | None = None
    while True:
        page = listed(limit=EVERY_ROW, after=after)
        rows += page.items
        after = page.next
        if after is None:
            return rows


def check_against_folds(url: str, play: Play) -> None:
    history = play.history()
    requests = folds.requests_of(history)
    with Views.open(url) as views:
        rows = every(views.requests)
        for row in rows:
            wanted = folds.request_row(requests[row.request_id])
            assert {name: getattr(row, name) for name in wanted} == wanted
        assert len(rows) == len(requests)
        approvals = {(each.request_id, each.requirement_id): each for each in every(views.approvals)}
        expected = [folds.approval_row(one, opened) for one in requests.values() for opened in one.requirements]
        assert len(approvals) == len(expected)
        for wanted in expected:
            approval = approvals[wanted["request_id"], wanted["requirement_id"]]
            assert {name: getattr(approval, name) for name in wanted} == wanted
        agenda = {(row.request_id, row.due, row.item) for row in every(views.agenda)}
        assert agenda == folds.agenda_of(requests.values())
        assert {row.state_id: (row.version, row.digest) for row in views.states().items} == folds.states_of(history)
        counted = {(each.start, each.milestone): each.requests for each in views.activity()}
        for key, count in folds.activity_of(history).items():
            assert counted[key] == count
        for _ in range(20):
            actor = play.actor()
            inbox = views.inbox(actor, limit=EVERY_ROW, now=play.clock.now).items
            found = {(row.request_id, row.requirement_id) for row in inbox}
            assert found == folds.inbox_of(requests.values(), actor, play.clock.now)


def check_lists(url: str, play: Play) -> None:
    history = play.history()
    with Views.open(url) as views:
        for view, wanted in (
            ("decisions", folds.decisions_of(history)),
            ("changes", folds.changes_of(history)),
            ("executions", folds.executions_of(history)),
        ):
            found: list[Any] = []
            page = views.rows(view)
            while True:
                found += page.items
                if page.next is None:
                    break
                page = views.rows(view, after=page.next)
            told = [{name: row[name] for name in wanted[0]} for row in reversed(found)] if wanted else []
            assert told == wanted


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_views_hold_what_an_independent_fold_says(store_url: str, seed: int) -> None:
    with Play(store_url, seed) as play:
        play.commands(160)
        with Projections.open(store_url) as projections:
            projections.catch_up(batch=50)
        check_against_folds(store_url, play)
        check_lists(store_url, play)


@pytest.mark.parametrize("batch", [1, 7, 5_000])
def test_catching_up_in_any_batch_size_gives_what_a_rebuild_gives(store_url: str, batch: int) -> None:
    in_pieces(store_url, seed=4, pieces=3, batch=batch)
    caught_up = tables_of(store_url)
    with Projections.open(store_url) as projections:
        projections.rebuild()
        assert tables_of(store_url) == caught_up


@hypothesis.settings(max_examples=8, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(
    seed=st.integers(0, 10_000), batches=st.lists(st.integers(1, 60), min_size=1, max_size=4), again=st.booleans()
)
def test_any_history_in_any_batches(
    tmp_path_factory: pytest.TempPathFactory, seed: int, batches: list[int], again: bool
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('history') / 'governance.db'}"
    with Play(url, seed) as play:
        for batch in batches:
            play.commands(25)
            with Projections.open(url) as projections:
                projections.catch_up(batch=batch)
        check_against_folds(url, play)
        check_lists(url, play)
    if again:
        caught_up = tables_of(url)
        with Projections.open(url) as projections:
            projections.rebuild()
        assert tables_of(url) == caught_up
