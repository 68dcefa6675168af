"""Writing what a batch of events leads to: rows in bulk, and events that were parked."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, any_, bindparam, column, delete, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from projections.database import Database, Row
from projections.fold import Batch, Parked
from projections.tables import PARKED, ViewTable
from projections.view import View


def write_batch(database: Database, connection: Connection, view: View[Any], number: int, batch: Batch) -> None:
    """Write the rows of a batch into one generation of the view, inside the caller's transaction."""
    for table in view.tables:
        physical = table.generation(number)
        rows = batch.rows.of[table.name]
        if table.written == "added":
            add_up(database, connection, table, physical, rows)
            continue
        if table.written == "replaced":
            remove_streams(database, connection, table, physical, batch.stale)
        database.insert(connection, physical, rows)
    park(connection, (view.name, number), batch.parked)


def remove_streams(
    database: Database, connection: Connection, table: ViewTable, physical: Table, streams: list[str]
) -> None:
    """Remove all rows that come from the streams."""
    if streams and table.owner is not None:
        connection.execute(delete(physical).where(among(database, physical.c[table.owner], streams)))


def among(database: Database, value: ColumnElement[Any], values: list[str]) -> ColumnElement[bool]:
    """Return the condition that a column has one of the values, as one parameter however many they are."""
    if database.on_postgres:
        return value == any_(literal(values, postgresql.ARRAY(postgresql.TEXT(collation="C"))))
    return value.in_(select(column("value")).select_from(func.json_each(bindparam(None, json.dumps(values)))))


def add_up(database: Database, connection: Connection, table: ViewTable, physical: Table, rows: list[Row]) -> None:
    """Add the rows to those with the same key: every other column is a number and is summed."""
    width = len(table.key)
    sums: dict[Row, list[float]] = defaultdict(lambda: [0] * (len(table.columns) - width))
    for row in rows:
        total = sums[row[:width]]
        for place, value in enumerate(row[width:]):
            total[place] += value
    changed = [(*key, *total) for key, total in sorted(sums.items()) if any(total)]
    if not changed:
        return
    dialect: Any = postgresql if database.on_postgres else sqlite
    statement = dialect.insert(physical)
    measures = table.column_names()[width:]
    statement = statement.on_conflict_do_update(
        index_elements=list(table.key),
        set_={name: physical.c[name] + statement.excluded[name] for name in measures},
    )
    names = table.column_names()
    connection.execute(statement, [dict(zip(names, row, strict=True)) for row in changed])


def park(connection: Connection, key: tuple[str, int], parked: list[Parked]) -> None:
    """Note the events that the view could not take in."""
    for each in parked:
        connection.execute(
            PARKED.insert().values(
                view=key[0],
                generation=key[1],
                position=each.stored[0],
                stream=each.stored[1],
                stream_version=each.stored[2],
                topic=each.stored[3],
                error=each.error[:10_000].replace("\x00", "\N{REPLACEMENT CHARACTER}"),
                tries=each.tries,
                skipped=False,
                parked_at=datetime.now(UTC),
            ),
        )
