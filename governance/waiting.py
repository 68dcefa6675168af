"""Waiting: what holds requests back besides approvals, and what brings them on when its time has come."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from governance.calendars.keeping import Calendars
from governance.checks.checkers import Checker, Checkers
from governance.checks.engine import Checks
from governance.checks.tokens import check_token, token_of
from governance.decisions import RequestId
from governance.directory import DirectoryLookup
from governance.domain.actors import Actor
from governance.domain.condition_commands import OverrideWindow, RecordCheck
from governance.domain.errors import InputError
from governance.domain.json_limits import check_json
from governance.domain.releasing import open_check
from governance.domain.request import MutationRequest
from governance.engines.agenda import Agenda
from governance.engines.conditions import Conditions
from governance.engines.dependencies import Dependencies
from governance.engines.engine import DueReport, Engine
from governance.engines.executions import Executions
from governance.engines.expiries import Expiries
from governance.engines.passing import one_pass
from governance.engines.performing import Store
from governance.engines.schedules import Schedules
from governance.event_store.log import EventLog
from governance.execution import Executor
from governance.handling import Handler
from governance.ids import request_key
from governance.intake import check_actor
from governance.prefetching import Prefetch
from governance.quotas.engine import Reservations, Returns
from governance.quotas.keeping import Quotas
from governance.repository import Repository
from governance.rights import Rights
from governance.settings import Settings

DEFAULT_LIMIT = 1_000


class Waiting:
    """The part of `Governance` that knows calendars, checks and everything that is due."""

    settings: Settings
    log: EventLog
    agenda: Agenda
    """What is due when; kept beside the log, and read out of it again by `agenda.rebuild()`."""
    calendars: Calendars
    """Change windows and freezes."""
    quotas: Quotas
    """Tokens per window of time."""
    checkers: Checkers
    """Who answers for external checks."""
    _clock: Callable[[], datetime]
    _handler: Handler
    _repository: Repository
    _engines: tuple[Engine, ...]
    _conditions: Conditions
    _directory: DirectoryLookup | None

    @property
    def engines(self) -> tuple[Engine, ...]:
        """Return the engines that find and perform what is due, in the order of one pass."""
        return self._engines

    def run_due(self, now: datetime | None = None, limit: int = DEFAULT_LIMIT) -> DueReport:
        """Do everything that time, or what others did, has made possible, in one pass, and say what came of each.

        Expiries first, then dependencies, schedules, quotas, checks, executions and effects, and round again for what
        that made possible; up to `limit` items. One that fails, or that somebody else was faster at, keeps no other
        from its turn. `now` is an aware datetime (default: the clock). Any number of processes may do so at once.
        """
        at = self._clock() if now is None else now
        if not isinstance(at, datetime) or at.utcoffset() is None:
            msg = "now: must be an aware datetime"
            raise InputError(msg, field="now")
        if type(limit) is not int or limit < 1:
            msg = "limit: must be a whole number of at least 1"
            raise InputError(msg, field="limit")
        return one_pass(self.engines, at, limit, self.agenda.due_kinds)

    def record_check(
        self,
        request_id: RequestId,
        *,
        check: str,
        passed: bool,
        actor: Actor,
        evidence: Mapping[str, Any] | None = None,
        seen: str | None = None,
        token: str | None = None,
    ) -> MutationRequest:
        """Say what an external check came to, with evidence; for services, and for people with `settings.check_role`.

        `check` is the name of the check or the id of the requirement. With `seen`, the `digest` of the requirement, an
        answer to other content raises StaleError. A `token`, as `callback_token` gives it, lets anybody but the
        requester answer once, to exactly the content it was made for. Raises SelfApprovalError for who stands behind
        the request, NotAuthorizedError, NotFoundError, AlreadyDecidedError, ApprovalExpiredError,
        InvalidTransitionError.
        """
        check_actor(actor)
        if type(passed) is not bool:
            msg = "passed: must be True or False"
            raise InputError(msg, field="passed")
        key = request_key(request_id)
        if token is not None:
            seen = self._shown(key, check, token)
        command = RecordCheck(
            actor=actor,
            check=check,
            passed=passed,
            permission=self.settings.check_role,
            digest=seen,
            by_token=token is not None,
            evidence=_checked(evidence, self.settings.max_payload_bytes),
        )
        return self._handler.decide(key, command, None)

    def callback_token(self, request_id: RequestId, check: str) -> str:
        """Return the token by which a callback may answer for an open check of a request, once, as it is now.

        Raises NotFoundError, AlreadyDecidedError, and ConfigurationError without `settings.callback_key`.
        """
        key = request_key(request_id)
        return token_of(self._callback_key, key, open_check(self._repository.request(key), check))

    def _shown(self, key: str, check: str, token: str) -> str:
        """Return the digest of the content that the token was made for."""
        opened = open_check(self._repository.request(key), check)
        check_token(token, self._callback_key, key, opened)
        return opened.digest

    @property
    def _callback_key(self) -> str | None:
        secret = self.settings.callback_key
        return None if secret is None else secret.get_secret_value()

    def override_window(self, request_id: RequestId, *, actor: Actor, reason: str) -> MutationRequest:
        """Let a request run outside its window, or during a freeze, in this round: an approval of its own.

        For administrators and holders of `settings.window_override_role`, but not for who asked. Other requirements
        stay, and so do `not_before` and `not_after`. Raises SelfApprovalError, NotAuthorizedError, AlreadyDecidedError.
        """
        check_actor(actor)
        command = OverrideWindow(actor=actor, reason=reason, permission=self.settings.window_override_role)
        return self._handler.decide(request_key(request_id), command, None)

    def _begin_waiting(
        self, repository: Repository, executor: Executor, handler: Handler, checkers: Iterable[Checker]
    ) -> None:
        """Make the engines, and have executions look at windows and dependencies."""
        self.agenda = Agenda(self.log, Prefetch(self.log, repository))
        rights = Rights(self._directory)
        self.calendars = Calendars(self.log, self._clock, self.settings, self.agenda.calendars, rights)
        self.checkers = Checkers(checkers)
        self.quotas = Quotas(self.log, self._clock, self.settings, self.agenda.quotas, rights)
        conditions = Conditions(repository, self.calendars, self.quotas, self.checkers.refuse_unknown)
        self._conditions = conditions
        executor.hold, executor.check = conditions.hold, conditions.check
        store = Store(self.log, repository, self.settings.budget_seconds)
        self._engines = (
            Expiries(self.agenda, store),
            Dependencies(self.agenda, store, conditions),
            Schedules(self.agenda, store, conditions),
            Returns(self.agenda, store, self.quotas),
            Reservations(self.agenda, store, self.quotas),
            Checks(self.agenda, store, self.checkers, self.settings),
            Executions(self.agenda, store, handler, self.settings.execute_automatically),
        )


def _checked(evidence: Mapping[str, Any] | None, max_bytes: int) -> dict[str, Any]:
    if evidence is not None and not isinstance(evidence, Mapping):
        msg = f"evidence: {type(evidence).__name__} is not a JSON object"
        raise InputError(msg, field="evidence")
    given = dict(evidence or {})
    check_json(given, field="evidence", max_bytes=max_bytes)
    return given
