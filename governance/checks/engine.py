"""Checks are made: checkers are called with retries and a circuit breaker, and what they find is recorded."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import ClassVar, Final

import stamina

from governance.appending import Append
from governance.checks.checkers import Check, Checker, Checkers, Finding, called, finding_of
from governance.checks.tokens import token_of
from governance.domain.actors import Actor
from governance.domain.condition_commands import RecordCheck
from governance.domain.decider import decide
from governance.domain.events import RequestEvent
from governance.domain.expiry import due
from governance.domain.json_limits import check_json
from governance.domain.request import MutationRequest, OpenedRequirement
from governance.engines.agenda import Agenda, Entry
from governance.engines.engine import DueItem, Performed
from governance.engines.folding import CANCEL, CHECK
from governance.engines.performing import AgendaEngine, Store, answer
from governance.engines.schedules import waiting_for
from governance.settings import Settings

FIRST_WAIT_SECONDS: Final = 0.05
LONGEST_WAIT_SECONDS: Final = 1.0
SLACK: Final = timedelta(seconds=15)


class Breaker:
    """Counts calls in a row that failed, and keeps a checker from being called for a while after too many."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._failed: dict[str, int] = {}
        self._rests_until: dict[str, datetime] = {}

    def rests(self, name: str, now: datetime) -> datetime | None:
        """Return until when the checker is left alone, None when it may be called."""
        with self._lock:
            until = self._rests_until.get(name)
            return until if until is not None and now < until else None

    def went_well(self, name: str) -> None:
        """Forget what failed before."""
        with self._lock:
            self._failed.pop(name, None)
            self._rests_until.pop(name, None)

    def went_wrong(self, checker: Checker, now: datetime) -> None:
        """Count; after the pause one call that fails is enough for another pause."""
        with self._lock:
            self._failed[checker.name] = self._failed.get(checker.name, 0) + 1
            if self._failed[checker.name] >= checker.failures:
                self._rests_until[checker.name] = now + checker.rest


class Checks(AgendaEngine):
    """Asks checkers until there is an answer; tells them when nobody waits for it any more."""

    name: ClassVar[str] = "check"

    def __init__(self, agenda: Agenda, store: Store, checkers: Checkers, settings: Settings) -> None:
        super().__init__(agenda)
        self.kinds = (CHECK, CANCEL)
        self._store = store
        self._checkers = checkers
        self._settings = settings
        self._breaker = Breaker()

    def due(self, now: datetime, limit: int) -> Sequence[DueItem]:
        """Return up to `limit` items that are due, each for as long as its calls may take."""
        lease = (self._checkers.longest + SLACK).total_seconds()
        return self._agenda.due(self.name, self.kinds, now, limit, lease_seconds=lease) if limit > 0 else ()

    def do(self, entry: Entry, now: datetime) -> Performed:
        """Ask, and record the answer; or look again later."""
        request = self._store.repository.request(entry.row.request_id)
        if entry.row.kind == CANCEL:
            return self._cancel(entry, request, now)
        opened = waiting_for(request, entry.row.item)
        if opened is None or due(request, now):
            return answer(entry, "done", "moved on")
        checker = self._checkers.get(opened.asked.name or "")
        if checker.ask is None:
            return self.wait(entry, None)
        rests = self._breaker.rests(checker.name, now)
        if rests is not None:
            return self.wait(entry, rests, "rests")
        finding = self._asked(checker, self._check(request, opened), now)
        if finding.passed is None:
            return self.wait(entry, now + checker.every)
        check_json(dict(finding.evidence), field="evidence", max_bytes=self._settings.max_payload_bytes)
        return self._record(entry, opened, finding, now)

    def _asked(self, checker: Checker, check: Check, now: datetime) -> Finding:
        try:
            for attempt in stamina.retry_context(
                on=Exception,
                attempts=checker.attempts,
                wait_initial=FIRST_WAIT_SECONDS,
                wait_max=LONGEST_WAIT_SECONDS,
                timeout=None,
            ):
                with attempt:
                    finding = finding_of(checker.name, called(checker.ask, check, checker.timeout))  # type: ignore[arg-type]
        except Exception:
            self._breaker.went_wrong(checker, now)
            raise
        self._breaker.went_well(checker.name)
        return finding

    def _record(self, entry: Entry, opened: OpenedRequirement, finding: Finding, now: datetime) -> Performed:
        command = RecordCheck(
            actor=Actor(id=f"check:{opened.asked.name}"[:200], kind="service"),
            check=opened.id,
            passed=bool(finding.passed),
            permission=self._settings.check_role,
            digest=opened.digest,
            evidence=finding.evidence,
        )

        def decided(request: MutationRequest, at: datetime, append: Append) -> Sequence[RequestEvent]:
            append.actor = command.actor
            if waiting_for(request, opened.id) is None or due(request, at):
                return ()
            return decide(command, request, at)

        request = self._store.act(entry.row.request_id, now, decided)
        return answer(entry, "done", str(request.status) if not finding.passed else "passed")

    def _cancel(self, entry: Entry, request: MutationRequest, now: datetime) -> Performed:
        opened = next((each for each in request.requirements if each.id == entry.row.item), None)
        if opened is not None and opened.asked.name is not None:
            checker = self._checkers.get(opened.asked.name)
            if checker.cancel is not None:
                called(checker.cancel, self._check(request, opened), checker.timeout)
        del now
        self._agenda.remove(entry)
        return answer(entry, "done", "canceled")

    def _check(self, request: MutationRequest, opened: OpenedRequirement) -> Check:
        key = self._settings.callback_key
        return Check(
            name=opened.asked.name or opened.id,
            key=f"{request.id}/{opened.id}",
            request_id=request.id,
            state_id=request.state_id,
            mutation=request.mutation,
            requester=request.requester.id,
            on_behalf_of=request.requester.on_behalf_of,
            reason=request.reason,
            digest=opened.digest,
            opened_at=opened.opened_at,
            token=None if key is None else token_of(key.get_secret_value(), request.id, opened),
        )
