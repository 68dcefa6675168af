"""Surveying the agenda: who waits for what, page by page, for whoever looks for what waits in vain."""

from collections.abc import Iterator, Sequence
from typing import Final

from governance.event_store.agenda import AgendaListing, AgendaRow
from governance.event_store.log import EventLog, translated_errors

PAGE: Final = 500


class Survey:
    """Reads the agenda and changes nothing."""

    def __init__(self, log: EventLog) -> None:
        self._tables = log.event_recorder.agenda()

    def listed(self, *kinds: str, asleep: bool, tries: int = 0) -> Iterator[Sequence[AgendaRow]]:
        """Yield pages of rows: asleep ones, which no time makes due, or the others; with `tries`, failing ones only."""
        after = ("", "")
        while True:
            asked = AgendaListing(kinds=kinds, asleep=asleep, tries=tries, after=after, limit=PAGE)
            with translated_errors():
                rows = self._tables.listed(asked)
            if rows:
                yield rows
            if len(rows) < PAGE:
                return
            after = (rows[-1].request_id, rows[-1].item)

    def waited_for(self) -> Iterator[Sequence[str]]:
        """Yield pages of the keys that rows wait for."""
        after = ""
        while True:
            with translated_errors():
                keys = self._tables.waited_for(after, PAGE)
            if keys:
                yield keys
            if len(keys) < PAGE:
                return
            after = keys[-1]

    def waiters(self, key: str) -> Sequence[AgendaRow]:
        """Return the first rows that wait for a key, a page at most."""
        with translated_errors():
            return self._tables.waiters(key, PAGE)
