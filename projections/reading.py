"""Reading one view: where it stands, a page of its rows, or how many there are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ClauseElement, Connection, Executable, FromClause, Result, Select, Table, func, literal, select
from sqlalchemy.ext.compiler import compiles

from governance.domain.errors import InputError
from projections.conditions import RELATED, Condition, Conditions, can_be
from projections.database import Database
from projections.errors import ViewNotBuiltError
from projections.filters import AllOf, Filter, Has, IsIn, Labels
from projections.generations import Generation, check_definition, live
from projections.labels import label
from projections.paging import Page, Sort, check_limit, read_cursor, write_cursor
from projections.view import View

Found = Mapping[str, Any]
MOST_COUNTED: Final = 10_000
MOST_KEPT: Final = 256
LONGEST_KEPT: Final = 2_000
"""So many queries of a view are kept, of which what was asked for has no more characters than this."""
EVERYTHING: Final = AllOf(parts=())
"""The filter that every row passes."""


@dataclass(frozen=True)
class Ask:
    """What is asked of a view: which rows, in which order (`-` turns it round), how many, and after which cursor."""

    where: Filter = EVERYTHING
    sort: str | None = None
    limit: int = 50
    after: str | None = None

    def scope(self, view: str) -> str:
        """Return what a cursor is good for: the same view, filter and order."""
        return f"{view}\n{self.sort}\n{self.where!r}"


@dataclass(frozen=True)
class Count:
    """How many rows there are; `exact` is False for an estimate, and then `at_least` may be all that is known."""

    rows: int
    exact: bool
    position: int


class Reader:
    """Reads the live generation of one view."""

    def __init__(self, database: Database, view: type[View[Any]], requests: "Reader | None" = None) -> None:
        self._database = database
        self._view = view
        self._requests = requests
        self._kept: dict[tuple[int, str], tuple[Select[Any], FromClause]] = {}
        """Queries by generation, and by what was asked for."""

    def page(self, ask: Ask) -> Page[Found]:
        """Return the page of rows."""
        limit = check_limit(ask.limit)
        sort = self.sort(ask.sort)
        with self._database.read() as connection:
            generation = self.generation(connection)
            tables = self.tables(generation)
            main = tables[self._view.tables[0].name]
            scope = ask.scope(self._view.name)
            query, ordered = self._made(connection, ask.where, sort, generation, scope)
            if ask.after is not None:
                query = query.where(sort.after(ordered, read_cursor(scope, ask.after, sort, main)))
            rows = named(connection.execute(query.limit(limit + 1)))
        return self.cut(rows, limit, sort, scope, generation.position)

    def cut(self, rows: Any, limit: int, sort: Sort, scope: str, position: int) -> Page[Found]:
        """Return the page of up to `limit` rows out of one more than that."""
        more = len(rows) > limit
        cursor = write_cursor(scope, [rows[limit - 1][name] for name in sort.columns]) if more else None
        return Page(tuple(rows[:limit]), cursor, position)

    def count(self, where: Filter, *, exact: bool) -> Count:
        """Return how many rows match: all of them counted, or as the planner guesses."""
        with self._database.read() as connection:
            generation = self.generation(connection)
            tables = self.tables(generation)
            main = tables[self._view.tables[0].name]
            query = select(literal(1)).select_from(main).where(self.condition(connection, where, tables))
            if exact:
                counted = connection.scalar(select(func.count()).select_from(query.subquery())) or 0
                return Count(counted, True, generation.position)
            return self._estimate(connection, query, generation)

    def generation(self, connection: Connection) -> Generation:
        """Return the live generation; ViewNotBuiltError before there is one, and errors for another definition."""
        found = live(connection, self._view.name)
        if found is None:
            msg = f"view {self._view.name} has not been built yet: run the projections (gov projections run)"
            raise ViewNotBuiltError(msg, view=self._view.name)
        check_definition(found, self._view)
        return found

    def tables(self, generation: Generation) -> dict[str, Table]:
        """Return the tables of the generation by their names within the view."""
        return {each.name: each.generation(generation.generation) for each in self._view.tables}

    def condition(self, connection: Connection, where: Filter, tables: Mapping[str, Table]) -> Condition:
        """Return the condition on the main table; what is said of `request.…` holds for the row's request."""
        main = tables[self._view.tables[0].name]
        mine = Conditions(self._database, self._view.fields, main, tables)
        if self._requests is not None and "request_id" in main.c and f"field='{RELATED}" in repr(where):
            others = self._requests.tables(self._requests.generation(connection))
            requests = self._requests._view
            mine.related = Conditions(self._database, requests.fields, others["requests"], others)
        return mine.of(where)

    def sort(self, name: str | None) -> Sort:
        """Return the order that the view declares under the name, or its usual one; InputError for any other."""
        if name is None:
            return Sort(next(iter(self._view.sorts.values())), self._view.newest_first)
        columns = self._view.sorts.get(name.removeprefix("-"))
        if columns is None:
            msg = f"sort: there is no order {name[:80]!r} (there are: {', '.join(self._view.sorts)}; - turns one round)"
            raise InputError(msg, field="sort")
        return Sort(columns, name.startswith("-"))

    def _made(
        self, connection: Connection, where: Filter, sort: Sort, generation: Generation, scope: str
    ) -> tuple[Select[Any], FromClause]:
        """Return the query in its order, kept for the next time: people look at the same lists again and again."""
        key = (generation.generation, scope)
        found = self._kept.get(key)
        if found is None:
            query, ordered = self._select(connection, where, sort, self.tables(generation))
            found = query.order_by(*sort.order(ordered)), ordered
            # Not that of two views, for the other may get a new generation; and not a large one.
            if f"field='{RELATED}" not in scope and len(scope) <= LONGEST_KEPT:
                if len(self._kept) >= MOST_KEPT:
                    self._kept.clear()
                self._kept[key] = found
        return found

    def _select(
        self, connection: Connection, where: Filter, sort: Sort, tables: Mapping[str, Table]
    ) -> tuple[Select[Any], FromClause]:
        """Return the query, and the table by whose columns its rows are ordered."""
        main = tables[self._view.tables[0].name]
        driving = self._driving_label(where, sort, tables)
        if driving is None:
            return select(main).where(self.condition(connection, where, tables)), main
        # The label's own index gives the rows in order, however few they are among the others.
        field, value, rest = driving
        side = tables[field.table].alias()
        joined = main.join(side, side.c[field.owner] == main.c[field.owner])
        mine = (side.c.kind == field.kind) & (side.c.value == label(value))
        condition = self.condition(connection, rest, tables)
        return select(main).select_from(joined).where(mine, condition), side

    def _driving_label(
        self, where: Filter, sort: Sort, tables: Mapping[str, Table]
    ) -> tuple[Labels, str, Filter] | None:
        """Return a label that all rows have, and what else is asked of them."""
        parts = where.parts if isinstance(where, AllOf) else (where,)
        for place, part in enumerate(parts):
            field = self._view.fields.get(part.field) if isinstance(part, Has | IsIn) else None
            if not isinstance(part, Has | IsIn) or not isinstance(field, Labels) or not part.values:
                continue
            every = isinstance(part, Has) and part.every
            value = str(part.values[0])
            if (len(part.values) == 1 or every) and can_be(value) and sort.fits(tables[field.table]):
                others = Has(field=part.field, values=tuple(map(str, part.values[1:])), every=True)
                return field, value, AllOf(parts=(*parts[:place], others, *parts[place + 1 :]))
        return None

    def _estimate(self, connection: Connection, query: Select[Any], generation: Generation) -> Count:
        if self._database.on_postgres:
            told = connection.scalar(_Explain(query))
            plan = json.loads(told) if isinstance(told, str) else told
            return Count(int(plan[0]["Plan"]["Plan Rows"]), False, generation.position)
        some = select(func.count()).select_from(query.limit(MOST_COUNTED + 1).subquery())
        counted = connection.scalar(some) or 0
        return Count(counted, counted <= MOST_COUNTED, generation.position)


def named(result: Result[Any]) -> list[dict[str, Any]]:
    """Return the rows by the names of their columns: dictionaries are read quicker than what looks like them."""
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


class _Explain(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, query: Select[Any]) -> None:
        self.query = query


@compiles(_Explain)
def _explain(element: _Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.query, **options)}"
