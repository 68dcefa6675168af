"""The common lists are read through indexes, whatever the size of the view."""

from typing import Any

import pytest
from sqlalchemy import event

from governance import Actor
from projections import Projections, Views
from projections.database import Database
from projections.generations import generations
from projections.views.requests import Requests
from tests.histories import Play

COPIES = 200


@pytest.fixture
def large(postgres_url: str) -> str:
    """Give a store whose views have many times the rows of its history."""
    with Play(postgres_url, 6) as play:
        play.commands(80)
    with Projections.open(postgres_url) as projections:
        projections.catch_up()
    database = Database(postgres_url)
    with database.write() as connection:
        live = {each.view: each.generation for each in generations(connection)}
        for table in Requests.tables:
            name = f"view_{table.name}_{live['requests']}"
            columns = {column: f'"{column}"' for column in table.column_names()}
            columns["request_id"] = "request_id || n"
            columns["created_position"] = "created_position + 1000000 * n"
            if "position" in columns:
                columns["position"] = '"position" + 1000000 * n'
            copied = ", ".join(columns.values())
            connection.exec_driver_sql(
                f"INSERT INTO {name} SELECT {copied} FROM {name}, generate_series(1, {COPIES}) AS n"
            )
            connection.exec_driver_sql(f"ANALYZE {name}")
    database.close()
    return postgres_url


def test_no_common_list_reads_a_whole_table(large: str) -> None:
    with Views.open(large) as views:
        asked: list[tuple[str, Any]] = []

        @event.listens_for(views._database._engine, "before_cursor_execute")
        def note(_c: Any, _d: Any, statement: str, parameters: Any, *_: Any) -> None:
            if "FROM view_" in statement:
                asked.append((statement, parameters))

        views.requests()
        views.requests(status="pending")
        views.requests(pending_reason="approval")
        views.requests(requester="ada")
        views.requests(tags_any="prod")
        views.requests(tags_all=["prod", "grow"])
        views.requests(mutation_type="add", sort="updated")
        views.requests(correlation_id="trip-1")
        views.inbox(Actor(id="ada", roles=("lead",)))
        for statement, parameters in tuple(asked):
            with views._database.read() as connection:
                plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))
            assert "Seq Scan on view_requests" not in plan, plan
