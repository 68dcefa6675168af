"""Conditions as they are now: what a new request may ask for, and what holds an approved one back."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from governance.calendars.calendar import Freeze
from governance.calendars.keeping import Calendars
from governance.domain.condition_commands import Hold
from governance.domain.conditions import (
    EVERYTHING,
    DependencyRequirement,
    ExternalCheckRequirement,
    QuotaRequirement,
    ScheduleRequirement,
)
from governance.domain.deliveries import effects_delivered
from governance.domain.errors import ConfigurationError, NotFoundError
from governance.domain.lifecycle import OPEN, Status
from governance.domain.releasing import FREEZE
from governance.domain.request import MutationRequest, OpenedRequirement
from governance.domain.requirements import Requirement
from governance.ids import request_key
from governance.outcome import Held
from governance.quotas.keeping import Quotas
from governance.repository import Repository

MAX_CHAIN: Final = 10_000
"""How many requests are looked at in search of a cycle."""
Refuse = Callable[[str], None]
"""Raises ConfigurationError for a name that nothing stands behind."""


class Conditions:
    """Looks at calendars and other requests; changes nothing."""

    def __init__(self, repository: Repository, calendars: Calendars, quotas: Quotas, check_checker: Refuse) -> None:
        self._repository = repository
        self._calendars = calendars
        self._quotas = quotas
        self._check_checker = check_checker

    def check(self, request: MutationRequest, asked: Sequence[Requirement]) -> None:
        """Refuse what is asked of a request if it can never be met: ConfigurationError, NotFoundError.

        An unknown calendar, quota or checker, a request that does not exist, and dependencies that lead back.
        """
        for each in asked:
            match each:
                case ScheduleRequirement():
                    self._check_window(each.window)
                case QuotaRequirement():
                    self._quotas.refuse_impossible(each)
                case ExternalCheckRequirement():
                    self._check_checker(each.name)
                case DependencyRequirement():
                    self._check_dependency(request, each)
                case _:
                    pass

    def hold(self, request: MutationRequest, now: datetime) -> Hold | None:
        """Return why an approved request may not run now after all, None when it may.

        A window that has closed since, a freeze, or a request it depends on that was put right meanwhile. Broken glass
        lets it run in any case, an override of its window outside windows and during freezes.
        """
        if request.behind_glass:
            return None
        current = [each for each in request.current_requirements if not each.is_approval]
        if not request.outside_windows:
            held = self._closed(current, now)
            if held is not None:
                return held
        holds = (self._undone(each) for each in current)
        return next((each for each in holds if each is not None), None)

    def held(self, request: MutationRequest, now: datetime) -> tuple[Held, ...]:
        """Return what would keep an open request from running now, besides people who have to decide."""
        if request.behind_glass or request.status not in OPEN:
            return ()
        conditions = [each for each in request.current_requirements if not each.is_approval]
        found = [held for each in conditions if (held := self._held(request, each, now)) is not None]
        scheduled = any(isinstance(each.asked, ScheduleRequirement) for each in conditions)
        frozen = self._calendars.look(EVERYTHING).frozen(now)
        if frozen is not None and not scheduled and not request.outside_windows:
            found.append(Held(because=_frozen(frozen), until=self._calendars.next_open(None, now)))
        return tuple(found)

    def _held(self, request: MutationRequest, opened: OpenedRequirement, now: datetime) -> Held | None:
        because: str | None = None
        until = self.earliest(request, opened, now)
        match opened.asked:
            case ScheduleRequirement():
                because = None if until == now else self._not_yet(request, opened.asked, now, until)
            case QuotaRequirement() if opened.status == "open" and until != now:
                because = f"quota {opened.asked.key} has no {opened.asked.tokens:,} free"
            case DependencyRequirement():
                missing, never = self.unmet(opened.asked)
                because = (never or f"request {missing[0]} is not executed") if missing else None
            case ExternalCheckRequirement() if opened.status == "open":
                because = f"check {opened.asked.name} has not said yes"
        return None if because is None else Held(because=because, until=until, requirement=opened.id)

    def _not_yet(
        self, request: MutationRequest, asked: ScheduleRequirement, now: datetime, until: datetime | None
    ) -> str:
        if asked.not_before is not None and asked.not_before > now:
            return f"it is not to run before {asked.not_before.isoformat()}"
        frozen = self._calendars.look(EVERYTHING).frozen(now)
        if frozen is not None and asked.window in {None, EVERYTHING}:
            return _frozen(frozen)
        return self._why(asked.window or EVERYTHING, now, until)

    def opens(self, asked: ScheduleRequirement, now: datetime, *, fresh: bool = True) -> datetime | None:
        """Return when the schedule is met at the soonest, not before now; None when that is not in sight.

        Without `fresh`, what was declared a moment ago may not count yet, which the execution finds out.
        """
        begins = max(now, asked.not_before or now)
        window = None if asked.window == EVERYTHING else asked.window
        return self._calendars.next_open(window, begins, fresh=fresh)

    def earliest(self, request: MutationRequest, opened: OpenedRequirement, now: datetime) -> datetime | None:
        """Return when an open condition can be met at the soonest, as far as that is known; None when it is not."""
        if isinstance(opened.asked, QuotaRequirement):
            return self._quotas.free_at(opened.asked, now)
        if not isinstance(opened.asked, ScheduleRequirement):
            return None
        if request.outside_windows:
            return max(now, opened.asked.not_before or now)
        return self.opens(opened.asked, now)

    def calendar_version(self, window: str | None) -> int | None:
        """Return the version of the calendar by which a window was judged just now."""
        return None if window is None else self._calendars.look(window, fresh=False).version

    def unmet(self, asked: DependencyRequirement, *, fresh: bool = True) -> tuple[list[str], str | None]:
        """Return which requests have not come as far as they have to, and why one of them never will.

        Without `fresh`, what became of one a moment ago may not count yet.
        """
        missing: list[str] = []
        for request_id in asked.requests:
            other = self._repository.request(request_id, fresh=fresh)
            if other.status in OPEN or (other.status is Status.EXECUTED and not _far_enough(other, asked)):
                missing.append(request_id)
            elif other.status is not Status.EXECUTED:
                missing.append(request_id)
                if asked.on_failure == "reject":
                    return missing, f"request {other.id}, on which it depends, is {other.status}"
        return missing, None

    def _closed(self, current: Iterable[OpenedRequirement], now: datetime) -> Hold | None:
        schedules = [each for each in current if isinstance(each.asked, ScheduleRequirement)]
        everything = self._calendars.look(EVERYTHING, fresh=False)
        for opened in schedules:
            if isinstance(opened.asked, ScheduleRequirement) and opened.asked.window not in {None, EVERYTHING}:
                opens = self.opens(opened.asked, now)
                if opens != now:
                    because = self._why(opened.asked.window or "", now, opens)
                    return Hold(because=because, requirement=opened.asked, requirement_id=opened.id)
        frozen = everything.frozen(now)
        if frozen is None:
            return None
        known = next((each for each in schedules if each.asked == FREEZE), None)
        return Hold(
            because=_frozen(frozen),
            requirement=FREEZE,
            requirement_id=known.id if known is not None else None,
        )

    def _why(self, window: str, now: datetime, opens: datetime | None) -> str:
        frozen = self._calendars.look(window).frozen(now) or self._calendars.look(EVERYTHING).frozen(now)
        what = f"is frozen ({frozen.reason})" if frozen is not None else "is closed"
        return f"calendar {window} {what} {f'until {opens.isoformat()}' if opens else 'for good, as things stand'}"

    def _undone(self, opened: OpenedRequirement) -> Hold | None:
        if not isinstance(opened.asked, DependencyRequirement):
            return None
        missing, never = self.unmet(opened.asked)
        if not missing:
            return None
        because = never or f"request {missing[0]}, on which it depends, does not count as executed any more"
        return Hold(because=because, requirement=opened.asked, requirement_id=opened.id, ends=never is not None)

    def _check_window(self, window: str | None) -> None:
        if window in {None, EVERYTHING} or self._calendars.look(window or "").defined is not None:
            return
        msg = f"there is no calendar {window}"
        raise ConfigurationError(msg, calendar=window)

    def _check_dependency(self, request: MutationRequest, asked: DependencyRequirement) -> None:
        for request_id in asked.requests:
            if request_key(request_id, "dependency") != request_id:
                msg = f"dependency: {request_id} is not a request id in its usual form"
                raise ConfigurationError(msg, request=request_id)
            self._known(request_id)
        if request.position is None:
            return  # nobody can depend on a request that is not stored yet
        seen: set[str] = set()
        left = [*asked.requests]
        while left and len(seen) < MAX_CHAIN:
            request_id = left.pop()
            if request_id == request.id:
                msg = f"request {request.id} would depend on itself, by way of {', '.join(asked.requests[:3])}"
                raise ConfigurationError(msg, request=request.id)
            if request_id not in seen:
                seen.add(request_id)
                left += _waits_for(self._known(request_id))

    def _known(self, request_id: str) -> MutationRequest:
        try:
            return self._repository.request(request_id)
        except NotFoundError:
            msg = f"dependency: there is no request {request_id}"
            raise NotFoundError(msg, request=request_id) from None


def _frozen(freeze: Freeze) -> str:
    until = f"until {freeze.ends.isoformat()}" if freeze.ends else "until it is lifted"
    return f"everything is frozen {until}: {freeze.reason}"


def _far_enough(other: MutationRequest, asked: DependencyRequirement) -> bool:
    return asked.until == "executed" or effects_delivered(other)


def _waits_for(request: MutationRequest) -> Iterator[str]:
    for opened in request.open_requirements:
        if isinstance(opened.asked, DependencyRequirement):
            yield from opened.asked.requests
