"""The rows of events as they are stored, for those who check them: by position, by stream, and by place."""

import json
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from governance.event_store.append import MAX_VERSION
from governance.event_store.audit_connection import AuditConnection

PAGE: Final = 1024
BEFORE: Final = -(2**63)
LAST_STREAM: Final = "\U0010ffff"
Row = tuple[int, bytes, int, bytes, bytes]
"""Position, stream, version, topic and state."""

_COLUMNS: Final = "SELECT position, stream, version, topic, state FROM {schema}governance_events "
_PAGE: Final = _COLUMNS + "WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"
_STREAMS: Final = (
    _COLUMNS
    + "WHERE (stream, version, position) > (?, ?, ?) AND stream <= ? AND position <= ? "
    + "ORDER BY stream, version, position LIMIT ?"
)
_STREAMS_SQLITE: Final = _STREAMS.replace("(?, ?, ?)", "(CAST(? AS TEXT), ?, ?)").replace(
    "stream <= ?", "stream <= CAST(? AS TEXT)"
)


class Numbers(NamedTuple):
    """What a store says of its positions."""

    settled: int
    """The last position below which nothing can appear any more."""
    last: int
    """The last position of any row."""
    drawn: int
    """The last position that was ever given out."""


class AuditRows:
    """Reads rows past every cache and without looking into them."""

    def __init__(self, connection: AuditConnection) -> None:
        self._connection = connection
        self._on_postgres = connection.on_postgres

    def numbers(self) -> Numbers:
        """Return how far the store says to be."""
        last = "SELECT coalesce(max(position), 0) FROM {schema}governance_events"
        settled = "SELECT {schema}governance_settled()" if self._on_postgres else last
        before = self._number(settled)
        drawn = (
            "SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM {schema}governance_positions"
            if self._on_postgres
            else "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'governance_events'"
        )
        highest = self._number(last)
        return Numbers(before, highest, self._number(drawn))

    def pages(self, after: int, upto: int, size: int = PAGE) -> Iterator[list[Row]]:
        """Return the rows after a position and not after another, in order, page by page."""
        while page := self.page(after, upto, size):
            yield page
            after = page[-1][0]

    def page(self, after: int, upto: int, size: int = PAGE) -> list[Row]:
        """Return the first of the rows after a position and not after another."""
        return self._connection.ask(_PAGE, (after, upto, size))

    def by_stream(
        self, upto: int, *, category: str | None = None, after: str | None = None, last: str | None = None
    ) -> Iterator[Row]:
        """Return the rows up to a position stream by stream, in the order of the streams' bytes, oldest first.

        Of one category only if that is given; `after` leaves out the streams up to this one, `last` those behind it.
        """
        statement = _STREAMS if self._on_postgres else _STREAMS_SQLITE
        first = "" if category is None else f"{category}-"
        ends = self._text((f"{first}{LAST_STREAM}" if last is None else last).encode())
        place = (self._text((first if after is None else after).encode()), BEFORE if after is None else MAX_VERSION)
        position = BEFORE if after is None else MAX_VERSION
        while page := self._connection.ask(statement, (*place, position, ends, upto, PAGE)):
            yield from page
            position, stream, version = page[-1][:3]
            place = (self._text(stream), version)

    def ranges(self, events: int, after: str | None = None) -> Iterator[tuple[str | None, str | None]]:
        """Return ranges of streams of about so many events each: behind the first stream, up to the second."""
        text = "?" if self._on_postgres else "CAST(? AS TEXT)"
        statement = (
            f"SELECT stream FROM {{schema}}governance_events WHERE stream > {text} "  # noqa: S608 - a constant
            "ORDER BY stream, version LIMIT 1 OFFSET ?"
        )
        while found := self._connection.ask(statement, (self._text((after or "").encode()), events)):
            last = bytes(found[0][0]).decode("utf-8", "surrogateescape")
            yield after, last
            after = last
        yield after, None

    def stream(self, stream: str) -> Iterator[Row]:
        """Return the rows of one stream, oldest first."""
        version = BEFORE
        while page := self._connection.ask(
            _COLUMNS + "WHERE stream = ? AND version > ? ORDER BY version LIMIT ?",
            (stream, version, PAGE),
        ):
            yield from page
            version = page[-1][2]

    def at(self, places: Sequence[tuple[str, int]]) -> list[Row]:
        """Return the rows at these streams and versions."""
        streams, versions = [each[0] for each in places], [each[1] for each in places]
        if self._on_postgres:
            wanted = "JOIN unnest(?::text[], ?::bigint[]) AS wanted(s, v) ON stream = wanted.s AND version = wanted.v"
            return self._connection.ask(_COLUMNS + wanted, (streams, versions))
        wanted = "JOIN json_each(?) AS wanted ON stream = wanted.value ->> 0 AND version = wanted.value ->> 1"
        return self._connection.ask(_COLUMNS + wanted, (json.dumps(list(zip(streams, versions, strict=True))),))

    def of_streams(self, streams: Sequence[str], topics: Sequence[str]) -> list[Row]:
        """Return the rows of these topics in these streams."""
        if self._on_postgres:
            where = "WHERE stream = ANY(?) AND topic = ANY(?) ORDER BY stream, version"
            return self._connection.ask(_COLUMNS + where, (list(streams), list(topics)))
        where = "WHERE stream IN (SELECT value FROM json_each(?)) AND topic IN (SELECT value FROM json_each(?))"
        given = (json.dumps(list(streams)), json.dumps(list(topics)))
        return self._connection.ask(f"{_COLUMNS}{where} ORDER BY stream, version", given)

    def living_keys(self, keys: Sequence[str]) -> list[str]:
        """Return which of these keys of personal data are there and not destroyed."""
        question = "SELECT id FROM {schema}governance_personal_keys WHERE secret IS NOT NULL AND id "
        if self._on_postgres:
            found = self._connection.ask(f"{question} = ANY(?) ORDER BY id", (list(keys),))
        else:
            several = "IN (SELECT value FROM json_each(?)) ORDER BY id"
            found = self._connection.ask(f"{question} {several}", (json.dumps(list(keys)),))
        return [each if isinstance(each, str) else bytes(each).decode() for (each,) in found]

    def _text(self, stored: bytes) -> object:
        return stored.decode() if self._on_postgres else stored

    def _number(self, question: str) -> int:
        return int(self._connection.ask(question)[0][0] or 0)
