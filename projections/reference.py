"""The reference of the views as a Markdown page, made from their definitions: `python -m projections.reference`."""

import sys
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Boolean, Column, Float, Integer

from projections.filters import Bits, Fields, Labels, Plain, Words
from projections.tables import Json, Moment, Ranked, ViewTable
from projections.view import View
from projections.views import VIEWS

_HEAD: Final = """\
# The views

This page is made from the definitions of the views; `python -m projections.reference` prints it.

Views are made from the events and can be thrown away: [how they are rebuilt](../how-to/rebuild-a-view.md),
[how to add one](../how-to/add-a-view.md). On PostgreSQL their tables are in a schema beside that of the events
(`governance_views` beside `governance`), on SQLite in the same file; the number of the generation is part of a table's
name (`view_requests_1`), so read them through `projections.Views`, which knows which one is live.

Positions are places in the log. Times are aware and in UTC. What is called JSON is a list of texts.

*Asked for*: what a filter may say of a field, as in `field("status").is_in("pending")`. *Orders*: what `sort=` may be;
`-` in front turns one round. The first is that of a list that asks for none.
"""
_ASKED: Final[dict[type[Any], str]] = {
    Labels: "`has_any`, `has_all`, `is_in`, `missing`",
    Words: "`contains`, `missing`",
    Bits: "`has_any`, `has_all`, `missing`",
}


def reference() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(line for view in VIEWS for line in _view(view))]).rstrip() + "\n"


def _view(view: type[View[Any]]) -> Iterator[str]:
    yield f"## `{view.name}`\n"
    yield f"{(view.__doc__ or '').strip()}\n"
    orders = [f"`{name}` ({', '.join(columns)})" for name, columns in view.sorts.items()]
    if orders:
        yield f"Orders, {'newest first' if view.newest_first else 'oldest first'}: {', '.join(orders)}.\n"
    for table in view.tables:
        yield from _table(table)
    if view.fields:
        yield from _fields(view.fields)


def _table(table: ViewTable) -> Iterator[str]:
    yield f"| column of `{table.name}` | type | |\n|---|---|---|"
    for column in table.columns:
        notes = ["key"] if column.name in table.key else []
        if column.nullable and not notes:
            notes.append("may be empty")
        yield f"| `{column.name}` | {_kind(column)} | {', '.join(notes)} |"
    yield ""


def _kind(column: Column[Any]) -> str:
    match column.type:
        case Moment():
            return "time"
        case Json():
            return "JSON"
        case Ranked(names=names):
            return " < ".join(f"`{name}`" for name in names)
        case Boolean():
            return "true or false"
        case Float():
            return "number"
        case Integer():
            return "whole number"
        case _:
            return "text"


def _fields(fields: Fields) -> Iterator[str]:
    asked: dict[str, list[str]] = {}
    for name, field in fields.items():
        told = _of_plain(field) if isinstance(field, Plain) else _ASKED[type(field)]
        asked.setdefault(told, []).append(f"`{name}`")
    yield "| asked for | with |\n|---|---|"
    yield from (f"| {', '.join(names)} | {told} |" for told, names in asked.items())
    yield ""


def _of_plain(field: Plain) -> str:
    return "`is_in`, `missing`" if field.kind == "flag" else "`is_in`, `between`, `missing`"


if __name__ == "__main__":
    sys.stdout.write(reference())
