"""What the events mean, checked stream by stream: versions, transitions, digests, and what they say of each other."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from governance.audit import links
from governance.audit.lawful import LawfulRequest
from governance.audit.links import Claim
from governance.audit.problems import Problem, Problems
from governance.domain.batch import BatchState, evolve_batch
from governance.domain.batch_events import BatchCreated
from governance.domain.changes import diff, equal_changes
from governance.domain.digest import digest
from governance.domain.errors import GovernanceError
from governance.domain.events import Created, ExternalStateChanged, KeyClaimed, StateChanged
from governance.domain.personal_events import SubjectForgotten
from governance.domain.recorded import Recorded
from governance.event_store.audit_decoding import decoded
from governance.event_store.audit_rows import AuditRows, Row
from governance.streams import BATCH, KEY, PERSONAL, REQUEST, STATE, category, personal_stream

_CLAIMS_AT_ONCE: Final = 500


class Meaning:
    """Checks whole streams; what is wrong goes into `problems`, with the position of the event that shows it."""

    def __init__(self, rows: AuditRows, problems: Problems) -> None:
        self._rows = rows
        self._problems = problems
        self._claims: list[Claim] = []

    @property
    def settled(self) -> bool:
        """Return whether all that was claimed so far has been looked up."""
        return not self._claims

    def check(self, stored: Iterable[Row]) -> Iterator[tuple[bytes, int]]:
        """Check rows that come stream by stream; return each stream that is done, and how many events it had."""
        for stream, found in groupby(stored, key=lambda row: row[1]):
            events = self._readable(found)
            count = sum(1 for _ in self._stream(events))
            if len(self._claims) >= _CLAIMS_AT_ONCE:
                self._settle()
            yield stream, count
        self._settle()

    def _readable(self, stored: Iterable[Row]) -> Iterator[Recorded]:
        last = 0
        for row in stored:
            version = row[2]
            if version != last + 1:
                self._add(row, "versions", f"version {version!r} follows {last}: something is missing or was put in")
            last = version if isinstance(version, int) else last + 1
            try:
                yield decoded(row)
            except (GovernanceError, ValueError, TypeError) as error:
                self._add(row, "unreadable", str(error))

    def _stream(self, events: Iterator[Recorded]) -> Iterator[Recorded]:
        first = next(events, None)
        if first is None:
            return
        kinds = {
            REQUEST: self._request,
            STATE: self._state,
            KEY: self._key,
            BATCH: self._batch,
            PERSONAL: self._personal,
        }
        check = kinds.get(category(first.stream))
        whole = _chained(first, events)
        yield from check(whole) if check else whole

    def _request(self, events: Iterator[Recorded]) -> Iterator[Recorded]:
        lawful, created = LawfulRequest(), None
        for recorded in events:
            for wrong in lawful.take(recorded):
                self._wrong(recorded, wrong)
            created = recorded if isinstance(recorded.event, Created) else created
            self._claims += links.of_request(recorded, lawful)
            yield recorded
        asked = created.event if created is not None else None
        if created is not None and isinstance(asked, Created) and asked.supersedes and lawful.opened:
            self._claims.append(links.of_supersession(created, asked.supersedes))

    def _state(self, events: Iterator[Recorded]) -> Iterator[Recorded]:
        before: StateChanged | None = None
        for recorded in events:
            event = recorded.event
            if not isinstance(event, StateChanged):
                self._wrong(recorded, f"{type(event).__name__} is not an event of a state")
                continue
            if digest(event.value) != event.digest:
                self._wrong(recorded, "the digest is not that of the value")
            if before is not None and not equal_changes(diff(before.value, event.value), event.change_set):
                self._wrong(recorded, "the change set is not the difference to the version before")
            if event.request_id or not isinstance(event, ExternalStateChanged):
                self._claims.append(links.of_state(recorded, event))
            before = event
            yield recorded

    def _key(self, events: Iterator[Recorded]) -> Iterator[Recorded]:
        for recorded in events:
            event = recorded.event
            if recorded.version != 1 or not isinstance(event, KeyClaimed):
                self._wrong(recorded, "a key is claimed once, and nothing follows")
                continue
            self._claims.append(links.of_key(recorded, event))
            yield recorded

    def _personal(self, events: Iterator[Recorded]) -> Iterator[Recorded]:
        for recorded in events:
            event = recorded.event
            if not isinstance(event, SubjectForgotten) or personal_stream(event.subject) != recorded.stream:
                self._wrong(recorded, f"{type(event).__name__} does not say that the data of this person was erased")
            elif back := self._rows.living_keys(event.keys):
                told = f"the key {back[0]} was destroyed and is back, as from a backup: forget {event.subject} again"
                self._wrong(recorded, told, kind="key")
            yield recorded

    def _batch(self, events: Iterator[Recorded]) -> Iterator[Recorded]:
        batch: BatchState | None = None
        for recorded in events:
            try:
                batch = evolve_batch(batch, recorded)
            except (GovernanceError, TypeError, ValueError) as error:
                self._wrong(recorded, str(error))
            if isinstance(recorded.event, BatchCreated):
                self._claims += links.of_batch(recorded, recorded.event)
            yield recorded

    def _settle(self) -> None:
        claims, self._claims = self._claims, []
        for claim in links.refuted(self._rows, claims):
            self._wrong(claim.recorded, claim.message, kind="link")

    def _wrong(self, recorded: Recorded, message: str, *, kind: str = "meaning") -> None:
        self._problems.add(Problem(recorded.position, kind, message, recorded.stream, recorded.version))

    def _add(self, row: Row, kind: str, message: str) -> None:
        stream = row[1].decode("utf-8", "backslashreplace")
        self._problems.add(Problem(row[0], kind, message, stream, row[2] if isinstance(row[2], int) else None))


def _chained(first: Recorded, rest: Iterator[Recorded]) -> Iterator[Recorded]:
    yield first
    yield from rest
