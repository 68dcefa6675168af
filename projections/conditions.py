"""From filters to SQL: fields come from the view's own list, and every value of the caller is a bound parameter."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, assert_never, cast

from sqlalchemy import Table, and_, exists, false, func, literal, not_, or_, select, true
from sqlalchemy.sql.elements import ColumnElement

from governance.domain.errors import InputError
from projections.database import Database
from projections.filters import (
    MAX_DEPTH,
    MAX_PARTS,
    MAX_VALUES,
    AllOf,
    AnyOf,
    Between,
    Bits,
    Contains,
    Fields,
    Filter,
    Has,
    IsIn,
    Labels,
    Missing,
    Not,
    Plain,
    Scalar,
    Words,
)
from projections.labels import label
from projections.writing import among

Condition = ColumnElement[bool]
RELATED: Final = "request."
LARGEST: Final = 2**63 - 1


class Conditions:
    """Turns filters over one generation of a view into conditions on its main table."""

    def __init__(self, database: Database, fields: Fields, main: Table, tables: Mapping[str, Table]) -> None:
        self._database = database
        self._fields = fields
        self._main = main
        self._tables = tables
        self._parts = 0
        self.related: Conditions | None = None
        """The conditions on the request that a row is about, for fields named `request.…`."""

    def of(self, where: Filter, depth: int = 1) -> Condition:
        """Return the condition; InputError for an unknown field, a value of the wrong type, or too much of anything."""
        self._parts += 1
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            msg = f"where: more than {MAX_DEPTH} levels or {MAX_PARTS} parts"
            raise InputError(msg, field="where")
        match where:
            case AllOf(parts=parts):
                return and_(true(), *(self.of(part, depth + 1) for part in parts))
            case AnyOf(parts=parts):
                return or_(false(), *(self.of(part, depth + 1) for part in parts))
            case Not(part=part):
                # A row without a value does not match the part, so it matches its opposite.
                return not_(func.coalesce(self.of(part, depth + 1), false()))
            case _:
                return self._leaf(where)

    def _leaf(self, where: IsIn | Between | Has | Contains | Missing) -> Condition:
        if self.related is not None and where.field.startswith(RELATED):
            return self._about_request(self.related, where)
        field = self._fields.get(where.field)
        if field is None:
            msg = f"where: there is no field {where.field[:80]!r} (there are: {', '.join(sorted(self._fields))})"
            raise InputError(msg, field="where")
        match where:
            case IsIn():
                return self._is_in(field, where)
            case Between():
                return self._between(field, where)
            case Has():
                return self._has(field, where)
            case Contains():
                return self._contains(field, where)
            case Missing():
                return self._missing(field, where)
        assert_never(where)

    def _about_request(self, related: "Conditions", where: IsIn | Between | Has | Contains | Missing) -> Condition:
        asked = related.of(where.model_copy(update={"field": where.field.removeprefix(RELATED)}))
        request = related._main
        mine = request.c.request_id == self._main.c.request_id
        return exists(select(literal(1)).select_from(request).where(mine, asked))

    def _is_in(self, field: Any, where: IsIn) -> Condition:
        _check_count(where.field, where.values)
        if isinstance(field, Labels | Bits):
            return self._has(field, Has(field=where.field, values=_texts(where.field, where.values)))
        if not isinstance(field, Plain):
            raise _unfit(where.field, "compared; search it with contains")
        column = self._main.c[field.column]
        values = [each for each in (_value(where.field, field, value) for value in where.values) if can_be(each)]
        if not values:
            return false()
        if len(values) == 1:
            return cast(Condition, column == values[0])
        return (
            among(self._database, column, values) if field.kind == "text" and not field.ranked else column.in_(values)
        )

    def _between(self, field: Any, where: Between) -> Condition:
        if not isinstance(field, Plain) or field.kind == "flag":
            raise _unfit(where.field, "compared by size")
        column = self._main.c[field.column]
        ends: list[Condition] = [column.is_not(None)]
        if where.low is not None:
            ends.append(column >= _sortable(_value(where.field, field, where.low)))
        if where.high is not None:
            ends.append(column <= _sortable(_value(where.field, field, where.high)))
        return and_(*ends)

    def _has(self, field: Any, where: Has) -> Condition:
        _check_count(where.field, where.values)
        if isinstance(field, Bits):
            return self._has_bits(field, where)
        if not isinstance(field, Labels):
            raise _unfit(where.field, "asked for several values")
        values = [label(value) for value in dict.fromkeys(where.values) if can_be(value)]
        if not where.every:
            return self._labelled(field, values)
        if len(values) < len(set(where.values)):
            return false()
        return and_(true(), *(self._labelled(field, [value]) for value in values))

    def _has_bits(self, field: Bits, where: Has) -> Condition:
        unknown = [value for value in where.values if value not in field.names]
        if unknown:
            msg = f"where: {where.field} is never {unknown[0][:80]!r} (it is one of: {', '.join(field.names)})"
            raise InputError(msg, field="where")
        wanted = sum({field.names[value] for value in where.values})
        found = self._main.c[field.column].op("&")(literal(wanted))
        return found == literal(wanted) if where.every else found != literal(0)

    def _labelled(self, field: Labels, values: list[str]) -> Condition:
        if not values:
            return false()
        table = self._tables[field.table]
        value = table.c.value == values[0] if len(values) == 1 else among(self._database, table.c.value, values)
        mine = table.c[field.owner] == self._main.c[field.owner]
        return exists(select(literal(1)).select_from(table).where(mine, table.c.kind == field.kind, value))

    def _contains(self, field: Any, where: Contains) -> Condition:
        if not isinstance(field, Words):
            raise _unfit(where.field, "searched")
        if not can_be(where.text):
            return false()
        text = func.coalesce(self._main.c[field.folded], self._main.c[field.column])
        place: Callable[..., Any] = func.strpos if self._database.on_postgres else func.instr
        return cast(Condition, place(text, where.text.casefold()) > 0)

    def _missing(self, field: Any, where: Missing) -> Condition:
        if isinstance(field, Plain | Words):
            return self._main.c[field.column].is_(None)
        if isinstance(field, Bits):
            return self._main.c[field.column] == 0
        table = self._tables[field.table]
        mine = table.c[field.owner] == self._main.c[field.owner]
        return ~exists(select(literal(1)).select_from(table).where(mine, table.c.kind == field.kind))


def _value(name: str, field: Plain, value: Scalar) -> Any:
    """Return the value in the column's type; InputError for one of another type."""
    if field.ranked:
        if value not in field.ranked:
            msg = f"where: {name} is never {str(value)[:80]!r} (it is one of: {', '.join(field.ranked)})"
            raise InputError(msg, field="where")
        return value
    wanted: dict[str, tuple[type, ...]] = {
        "text": (str,), "number": (int, float), "moment": (datetime,), "flag": (bool,),
    }  # fmt: skip
    fits = isinstance(value, wanted[field.kind]) and (field.kind == "flag" or not isinstance(value, bool))
    if not fits:
        msg = f"where: {name} is a {field.kind}, not {type(value).__name__}"
        raise InputError(msg, field="where")
    if isinstance(value, int) and abs(value) > LARGEST:
        msg = f"where: {name} is a number of 64 bits"
        raise InputError(msg, field="where")
    return value


def can_be(value: Any) -> bool:
    """Return whether a row can have the value at all: no text with NUL or lone surrogates was ever stored."""
    return not isinstance(value, str) or ("\x00" not in value and not any("\ud800" <= c <= "\udfff" for c in value))


def _sortable(value: Any) -> Any:
    if not can_be(value):
        msg = "where: the end of a range must not contain NUL or lone surrogates"
        raise InputError(msg, field="where")
    return value


def _texts(name: str, values: Sequence[Scalar]) -> tuple[str, ...]:
    if not all(isinstance(value, str) for value in values):
        msg = f"where: {name} is a text"
        raise InputError(msg, field="where")
    return tuple(str(value) for value in values)


def _check_count(name: str, values: Sequence[Any]) -> None:
    if len(values) > MAX_VALUES:
        msg = f"where: {name} is asked for more than {MAX_VALUES} values"
        raise InputError(msg, field="where")


def _unfit(name: str, what: str) -> InputError:
    return InputError(f"where: {name} cannot be {what}", field="where")
