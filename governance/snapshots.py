"""Long requests without reading all of their events: kept as text beside the log, and never believed by a decision."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from pydantic import VERSION

from governance.domain.errors import GovernanceError, MisplacedEventError
from governance.domain.evolution import replay
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.domain.snapshot import request_from, snapshot_of
from governance.domain.story import Decision
from governance.domain.telling import decision_of
from governance.event_store.log import EventLog, Stored, translated_errors
from governance.event_store.snapshots import Snapshot, SnapshotTable

SHORT: Final = 24
"""Streams of fewer events are folded: that takes no longer than finding a snapshot and reading it."""
BEHIND: Final = 8
"""When a snapshot is so many events behind, a newer one is stored."""


class Snapshots:
    """Loads requests of long streams from snapshots, and stores those; what cannot be stored costs time only."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def loaded(self, stream: str, folded: Callable[[], MutationRequest]) -> MutationRequest:
        """Return the request of a stream; `folded` gives it as all of its events have made it."""
        code = code_digest()
        if code is None:
            return folded()
        found = self._found(stream)
        request = self._continued(found) if found is not None and found.code == code else None
        if request is None:
            request = folded()
        elif found is not None and request.version - found.version <= BEHIND:
            return request
        self._store(stream, request, code, found)
        return request

    def _table(self) -> SnapshotTable:
        return self._log.event_recorder.snapshots()  # asked each time, for a forked process has another

    def _found(self, stream: str) -> Snapshot | None:
        try:
            with translated_errors():
                return self._table().find(stream)
        except (GovernanceError, ValueError):
            return None

    def _continued(self, found: Snapshot) -> MutationRequest | None:
        """Return the request as snapshot and later events have made it; None when the snapshot is of no use."""
        try:
            since = self._log.stored_stream(found.stream, after=found.version - 1)
            request = request_from(found.body, lambda count: self._lines(found.stream, count))
            if not since or not _same_place(found, request, since[0]):
                return None
            return replay(check_gapless([self._log.decoded(each) for each in since[1:]], found.version), request)
        except Exception:
            return None  # Whatever is wrong with it, the log knows better.

    def _lines(self, stream: str, count: int) -> Iterable[Decision]:
        return map(decision_of, self._log.stream(stream, upto=count))

    def _store(self, stream: str, request: MutationRequest, code: str, found: Snapshot | None) -> None:
        body = snapshot_of(request)
        if request.position is None or not _reads_back(body, request):
            return
        snapshot = Snapshot(stream, request.version, request.position, code, body)
        with suppress(GovernanceError), translated_errors():
            self._table().put(snapshot, instead_of=found.version if found is not None else 0)


def check_gapless(news: Sequence[Recorded], after: int) -> Sequence[Recorded]:
    """Return the events behind a version; MisplacedEventError when one of them is missing."""
    if news and news[-1].version - after != len(news):
        last = news[-1]
        msg = f"between versions {after} and {last.version} of {last.stream} there are events missing"
        raise MisplacedEventError(msg, stream=last.stream, version=last.version)
    return news


@cache
def code_digest() -> str | None:
    """Return the digest of the code that folds requests, None when its sources are not there: then nothing is kept.

    Snapshots of other code are not read, for today's rules may make something else of the same events.
    """
    try:
        sources = [each for each in files("governance.domain").iterdir() if each.name.endswith(".py")]
        sources.append(files("governance.event_store") / "upcasts.py")
        digest = sha256(VERSION.encode())
        for each in sorted(sources, key=lambda source: source.name):
            digest.update(each.name.encode() + b"\0" + each.read_bytes() + b"\0")
    except OSError:
        return None
    return digest.hexdigest() if len(sources) > 1 else None


def _reads_back(body: str, request: MutationRequest) -> bool:
    try:
        back = request_from(body, lambda _: ())
    except ValueError:
        return False
    bare = {"decisions": ()}
    return back.model_copy(update=bare) == request.model_copy(update=bare)


def _same_place(found: Snapshot, request: MutationRequest, event: Stored) -> bool:
    """Return whether snapshot, the request in it and the event that it ends with are of one place in the log."""
    places = {
        (found.stream.partition("-")[2], found.version, found.position),
        (request.id, request.version, request.position),
        (str(event.originator_id).partition("-")[2], event.originator_version, event.id),
    }
    return len(places) == 1
