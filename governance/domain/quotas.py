"""A quota as its events have made it: what is taken, what is free, and when more will be."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from governance.domain.errors import MisplacedEventError
from governance.domain.quota_events import QuotaDefined, TokensReleased, TokensReserved
from governance.domain.recorded import Recorded
from governance.domain.values import Value

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Reservation(Value):
    """Tokens that one requirement of one request has taken."""

    request_id: str
    requirement_id: str
    tokens: int
    at: datetime


class Quota(Value):
    """What is known of a quota after its latest event."""

    key: str
    version: int = 0
    defined: QuotaDefined | None = None
    reservations: tuple[Reservation, ...] = ()

    def holds(self, request_id: str, requirement_id: str) -> Reservation | None:
        """Return what the requirement has taken, None when it has nothing or gave it back."""
        wanted = (request_id, requirement_id)
        found = (each for each in self.reservations if (each.request_id, each.requirement_id) == wanted)
        return next(found, None)

    def taken(self, rule: QuotaDefined, now: datetime) -> int:
        """Return how many tokens of the window that `now` is in are taken; what a clock ahead of ours took counts."""
        return sum(each.tokens for each in self._counting(rule, now))

    def free_at(self, rule: QuotaDefined, tokens: int, now: datetime) -> datetime | None:
        """Return when so many tokens are free, `now` if they are; None when there are never that many.

        Nothing is known of what others will have taken by then.
        """
        if tokens > rule.limit:
            return None
        counting = sorted(self._counting(rule, now), key=lambda each: each.at)
        left = sum(each.tokens for each in counting)
        if left + tokens <= rule.limit:
            return now
        if rule.window == "fixed":
            last = max(counting[-1].at, now)
            return window_start(rule, last) + rule.per
        for each in counting:
            left -= each.tokens
            if left + tokens <= rule.limit:
                return each.at + rule.per
        return now

    def _counting(self, rule: QuotaDefined, now: datetime) -> list[Reservation]:
        if rule.window == "fixed":
            begins = window_start(rule, now)
            return [each for each in self.reservations if each.at >= begins]
        return [each for each in self.reservations if each.at > now - rule.per]


def window_start(rule: QuotaDefined, moment: datetime) -> datetime:
    """Return when the fixed window began that the moment is in."""
    return _EPOCH + (moment - _EPOCH) // rule.per * rule.per


def quota_after(quota: Quota, news: Iterable[Recorded]) -> Quota:
    """Return the quota after some of its events."""
    held = {(each.request_id, each.requirement_id): each for each in quota.reservations}
    defined, version = quota.defined, quota.version
    for recorded in news:
        event, version = recorded.event, recorded.version
        match event:
            case QuotaDefined():
                defined = event
            case TokensReserved():
                held[event.request_id, event.requirement_id] = _taken(event, recorded.at)
            case TokensReleased():
                held.pop((event.request_id, event.requirement_id), None)
            case _:
                msg = f"{recorded.stream} holds {type(event).__name__}, which is not an event of a quota"
                raise MisplacedEventError(msg, stream=recorded.stream, version=recorded.version)
    return Quota(key=quota.key, version=version, defined=defined, reservations=tuple(held.values()))


def _taken(event: TokensReserved, at: datetime) -> Reservation:
    return Reservation(request_id=event.request_id, requirement_id=event.requirement_id, tokens=event.tokens, at=at)


def candidates(key: str) -> list[str]:
    """Return under which keys a definition for this one is looked for, the closest first.

    `deploys:tenant-42` is its own, else that of `deploys:*`, else that of `*`.
    """
    parts = key.split(":")
    starred = [f"{':'.join(parts[:number])}:*" for number in range(len(parts) - 1, 0, -1)]
    return list(dict.fromkeys([key, *starred, "*"]))
