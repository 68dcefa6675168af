"""Keeping claims: as long as a handler works and this process lives, nobody else is handed the same effect."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Event, Thread

from governance.domain.errors import GovernanceError
from governance.event_store.log import translated_errors
from governance.event_store.outbox import Claim, Outbox


class Keeper:
    """Prolongs the claims of one holder on a thread of its own, which ends when there is nothing to keep."""

    def __init__(self, outbox: Outbox, holder: str, seconds: float) -> None:
        self._outbox = outbox
        self._holder = holder
        self._seconds = seconds
        self._kept: dict[str, Claim] = {}
        self._changed = Condition()
        self._closed = Event()
        self._thread: Thread | None = None

    @contextmanager
    def kept(self, claim: Claim) -> Iterator[None]:
        """Keep a claim for as long as the context lasts."""
        key = claim.row.effect_id
        with self._changed:
            self._kept[key] = claim
            if self._thread is None:
                self._thread = Thread(target=self._run, name="governance-effects-keeper", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._kept.pop(key, None)

    def close(self) -> None:
        """Keep nothing any more."""
        self._closed.set()
        thread = self._thread
        if thread is not None:
            thread.join(self._seconds)

    def _run(self) -> None:
        idle = False
        while not self._closed.wait(self._seconds / 3):
            with self._changed:
                claims = list(self._kept.values())
                if idle and not claims:
                    self._thread = None
                    return
                idle = not claims
            for claim in claims:
                self._prolong(claim)

    def _prolong(self, claim: Claim) -> None:
        try:
            with translated_errors():
                self._outbox.hold(claim, self._holder, self._seconds)
        except GovernanceError:
            return  # the next turn tries again, and a claim that is lost meanwhile only means a second delivery
