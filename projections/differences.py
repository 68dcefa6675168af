"""What differs between two generations of a view: rows added, changed and removed, with samples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, exists, func, literal, not_, or_, select, true
from sqlalchemy.sql.elements import ColumnElement

from projections.generations import Generation
from projections.tables import ViewTable
from projections.view import View

SAMPLES: Final = 5
Sample = tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """How one table differs; samples are keys of rows."""

    table: str
    added: int
    changed: int
    removed: int
    samples: dict[str, tuple[Sample, ...]]


@dataclass(frozen=True)
class Comparison:
    """How a generation differs from the one it is compared with; `same_position` when both had seen the same events."""

    view: str
    generation: int
    compared_with: int
    same_position: bool
    tables: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Return whether no row differs."""
        return not any(each.added or each.changed or each.removed for each in self.tables)


def compare(connection: Connection, view: type[View[Any]], new: Generation, old: Generation) -> Comparison:
    """Return how the new generation differs from the old one, as one snapshot shows them."""
    return Comparison(
        view=view.name,
        generation=new.generation,
        compared_with=old.generation,
        same_position=new.position == old.position,
        tables=tuple(_table(connection, table, new, old) for table in view.tables),
    )


def _table(connection: Connection, table: ViewTable, new: Generation, old: Generation) -> Difference:
    fresh, former = table.generation(new.generation).alias("fresh"), table.generation(old.generation).alias("former")
    same_key = and_(true(), *(fresh.c[name] == former.c[name] for name in table.key))
    queries = {
        "added": select(*_key(fresh, table)).where(_absent(former, same_key)),
        "removed": select(*_key(former, table)).where(_absent(fresh, same_key)),
        "changed": select(*_key(fresh, table))
        .select_from(fresh.join(former, same_key))
        .where(or_(*_differences(fresh, former, table)) if len(table.key) < len(table.columns) else literal(1) == 0),
    }
    counts = {
        kind: connection.scalar(select(func.count()).select_from(query.subquery())) or 0
        for kind, query in queries.items()
    }
    samples = {
        kind: tuple(tuple(map(str, row)) for row in connection.execute(query.limit(SAMPLES)))
        for kind, query in queries.items()
        if counts[kind]
    }
    return Difference(table.name, counts["added"], counts["changed"], counts["removed"], samples)


def _key(table: Any, of: ViewTable) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in of.key]


def _absent(table: Any, same_key: ColumnElement[bool]) -> ColumnElement[bool]:
    return not_(exists(select(literal(1)).select_from(table).where(same_key)))


def _differences(fresh: Any, former: Any, table: ViewTable) -> Iterator[ColumnElement[bool]]:
    for column in table.columns:
        if column.name not in table.key:
            yield fresh.c[column.name].is_distinct_from(former.c[column.name])
