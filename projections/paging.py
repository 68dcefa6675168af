"""Pages by keyset: a cursor holds the sort key of the last row, so that pages stay right while rows are added."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import FromClause, Table, and_, or_
from sqlalchemy.sql.elements import ColumnElement

from governance.domain.errors import InputError
from projections.tables import moment_text

T = TypeVar("T")
MAX_LIMIT: Final = 1_000
_CHECK_CHARS: Final = 12
MAX_CURSOR_CHARS: Final = 4_000


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows in order; `next` is the cursor of the page after this, None at the end; `position` is where the view
    stands: every event up to there is in the rows.
    """

    items: tuple[T, ...]
    next: str | None
    position: int


@dataclass(frozen=True)
class Sort:
    """An order: columns, of which the last makes it unique, and whether it is turned round.

    Rows that have no value in one of the columns are not in the list.
    """

    columns: tuple[str, ...]
    descending: bool = False

    def order(self, table: FromClause) -> list[ColumnElement[Any]]:
        """Return what to order by."""
        return [table.c[name].desc() if self.descending else table.c[name].asc() for name in self.columns]

    def fits(self, table: Table) -> bool:
        """Return whether the table has all of the columns."""
        return all(name in table.c for name in self.columns)

    def after(self, table: FromClause, key: list[Any]) -> ColumnElement[bool]:
        """Return the condition for rows that come after the one with this key."""
        return or_(*(self._beyond(table, key, place) for place in range(len(self.columns))))

    def _beyond(self, table: FromClause, key: list[Any], place: int) -> ColumnElement[bool]:
        same = [table.c[name] == value for name, value in zip(self.columns[:place], key[:place], strict=True)]
        column, value = table.c[self.columns[place]], key[place]
        return and_(*same, column < value if self.descending else column > value)


def check_limit(limit: int) -> int:
    """Return the number of rows of a page; InputError for one that is not in 1 to 1,000."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        msg = f"limit: must be a number from 1 to {MAX_LIMIT}"
        raise InputError(msg, field="limit")
    return limit


def write_cursor(scope: str, key: list[Any]) -> str:
    """Return the opaque cursor of a row with this sort key, good for the same list only."""
    told = [{"at": moment_text(each)} if isinstance(each, datetime) else each for each in key]
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(f"{_check(scope, body)}{body}".encode()).decode().rstrip("=")


def read_cursor(scope: str, cursor: str, sort: Sort, table: Table) -> list[Any]:
    """Return the sort key that a cursor of the same list holds; InputError for anything else."""
    try:
        if len(cursor) > MAX_CURSOR_CHARS:
            raise ValueError
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        check, body = text[:_CHECK_CHARS], text[_CHECK_CHARS:]
        if check != _check(scope, body):
            raise ValueError
        key = [datetime.fromisoformat(each["at"]) if isinstance(each, dict) else each for each in json.loads(body)]
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
        key = []
    types = [table.c[name].type.python_type for name in sort.columns]
    if len(key) != len(types) or not all(isinstance(each, kind) for each, kind in zip(key, types, strict=True)):
        msg = "after: not a cursor of this list; give the `next` of a page with the same filter and sorting"
        raise InputError(msg, field="after")
    return key


def _check(scope: str, body: str) -> str:
    return sha256(f"{scope}\n{body}".encode("utf-8", "surrogatepass")).hexdigest()[:_CHECK_CHARS]
