"""The common lists are read through indexes, in the order in which they are shown, whatever the size of the view."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import event

from governance import Actor
from projections import Page, Projections, View, Views, field
from projections.database import Database
from projections.generations import generations
from projections.tables import ViewTable
from projections.views.approvals import Approvals
from projections.views.decisions import Decisions
from projections.views.requests import Requests
from tests.histories import START, Play
from tests.postgres_databases import Databases

COPIES: dict[type[View[Any]], int] = {Requests: 400, Approvals: 2_000, Decisions: 400}
"""How often the rows of each view are there: so often that reading all of a table never pays."""
LIMIT = 50
MOST_ROWS_READ = 40 * LIMIT
"""Rows that one page may look at, in all tables; the views have ten thousands."""
LEAD = Actor(id="zoe", roles=("lead", "boss"), groups=("ops",))
Shown = Callable[..., Page[Any]]
COMMONEST: dict[str, Callable[[Views], Shown]] = {
    "all": lambda views: views.requests,
    "pending": lambda views: lambda **page: views.requests(status="pending", **page),
    "for approval": lambda views: lambda **page: views.requests(pending_reason="approval", **page),
    "one person": lambda views: lambda **page: views.requests(requester="ada", **page),
    "a tag": lambda views: lambda **page: views.requests(tags_any="grow", **page),
    "two tags": lambda views: lambda **page: views.requests(tags_all=["prod", "grow"], **page),
    "a type": lambda views: lambda **page: views.requests(mutation_type="add", sort="-updated", **page),
    "a correlation": lambda views: lambda **page: views.requests(correlation_id="trip-1", **page),
    "a state": lambda views: lambda **page: views.requests(state_id="alpha:list", **page),
    "pending of others": lambda views: (
        lambda **page: views.requests(~field("requester").is_in("ada"), status="pending", **page)
    ),
    "decisions": lambda views: views.recent_decisions,
    "inbox": lambda views: lambda **page: views.inbox(LEAD, now=START, **page),
}


@dataclass(frozen=True)
class Lists:
    """The lists of one store, and how the database reads them."""

    url: str

    def plans(self, name: str) -> list[dict[str, Any]]:
        """Return how the first four pages of a list are read."""
        asked: list[tuple[str, Any]] = []
        with Views.open(self.url) as views:
            engine = views._database._engine

            def note(_c: Any, _d: Any, statement: str, parameters: Any, *_: Any) -> None:
                if "FROM view_" in statement:
                    asked.append((statement, parameters))

            event.listen(engine, "before_cursor_execute", note)
            found, after = COMMONEST[name](views), None
            for _ in range(4):
                after = found(limit=LIMIT, after=after).next
            event.remove(engine, "before_cursor_execute", note)
            with views._database.read() as connection:
                explained = [
                    connection.exec_driver_sql(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
                    for statement, parameters in asked
                ]
                return [each.scalar_one()[0]["Plan"] for each in explained]


@pytest.fixture(scope="module")
def lists(postgres_databases: Databases) -> Iterator[Lists]:
    """Give a store whose views have many times the rows of its history."""
    with postgres_databases.database() as url:
        enlarge(url)
        yield Lists(url)


def enlarge(url: str) -> None:
    """Fill the store, bring its views up to date, and copy their rows."""
    with Play(url, 6) as play:
        play.commands(80)
    with Projections.open(url) as projections:
        projections.catch_up()
    database = Database(url)
    with database.write() as connection:
        live = {each.view: each.generation for each in generations(connection)}
        for view, copies in COPIES.items():
            for table in view.tables:
                connection.exec_driver_sql(copied(table, live[view.name], copies))
                connection.exec_driver_sql(f"ANALYZE view_{table.name}_{live[view.name]}")
    database.close()


def copied(table: ViewTable, generation: int, copies: int) -> str:
    """Return the statement that copies all rows many times, each time with other keys."""
    name = f"view_{table.name}_{generation}"
    columns = {column: f'"{column}"' for column in table.column_names()}
    for column in columns:
        if column == "request_id":
            columns[column] = "request_id || n"
        elif column == "position" or column.endswith("_position"):
            columns[column] = f'"{column}" + 1000000 * n'
    named = ", ".join(f'"{column}"' for column in columns)
    return (
        f"INSERT INTO {name} ({named}) SELECT {', '.join(columns.values())} FROM {name}, generate_series(1, {copies}) n"
    )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every node of a plan."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def rows_read(node: dict[str, Any]) -> float:
    """Return how many rows a node took from a table."""
    if "Relation Name" not in node:
        return 0
    return float((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])


@pytest.mark.parametrize("name", COMMONEST)
def test_a_common_list_is_read_through_indexes_and_no_further_than_its_page(lists: Lists, name: str) -> None:
    plans = lists.plans(name)

    assert plans
    for plan in plans:
        scans = {node["Node Type"] for node in nodes(plan) if "Relation Name" in node}
        assert scans <= {"Index Scan", "Index Only Scan"}, plan
        assert sum(map(rows_read, nodes(plan))) <= MOST_ROWS_READ, plan
