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
    """What is known of a quota after its latest event.

    Reservations made before `since` may have been forgotten; None when all are known.
    """

    key: str
    version: int = 0
    defined: QuotaDefined | None = None
    reservations: tuple[Reservation, ...] = ()
    since: datetime | None = None

    def forgetting(self, before: datetime) -> "Quota":
        """Return the quota without the reservations made before a time."""
        kept = tuple(each for each in self.reservations if each.at >= before)
        if len(kept) == len(self.reservations):
            return self
        return self.model_copy(update={"reservations": kept, "since": max(before, self.since or before)})

    def knows(self, rule: QuotaDefined, now: datetime) -> bool:
        """Return whether it knows all that counts now, so that it answers as if it had forgotten nothing."""
        return self.since is None or window_begin(rule, now) >= self.since

    def counting(self, rule: QuotaDefined, now: datetime) -> list[Reservation]:
        """Return what was taken in the window that `now` is in, and later."""
        begins = window_begin(rule, now)
        if rule.window == "fixed":
            return [each for each in self.reservations if each.at >= begins]
        return [each for each in self.reservations if each.at > begins]

    def taken(self, rule: QuotaDefined, now: datetime) -> int:
        """Return how many tokens of the window that `now` is in are taken; what a clock ahead of ours took counts."""
        return sum(each.tokens for each in self.counting(rule, now))

    def free_at(self, rule: QuotaDefined, tokens: int, now: datetime) -> datetime | None:
        """Return when so many tokens are free, `now` if they are; None when there are never that many.

        Nothing is known of what others will have taken by then.
        """
        if tokens > rule.limit:
            return None
        counting = sorted(self.counting(rule, now), key=lambda each: each.at)
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


def window_begin(rule: QuotaDefined, now: datetime) -> datetime:
    """Return when the window began that is looked at now; what a sliding one took at exactly that moment is free."""
    return window_start(rule, now) if rule.window == "fixed" else now - rule.per


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
    return quota.model_copy(update={"version": version, "defined": defined, "reservations": tuple(held.values())})


def _taken(event: TokensReserved, at: datetime) -> Reservation:
    return Reservation.sound(
        request_id=event.request_id, requirement_id=event.requirement_id, tokens=event.tokens, at=at
    )


def candidates(key: str) -> list[str]:
    """Return under which keys a definition for this one is looked for, the closest first.

    `deploys:tenant-42` is its own, else that of `deploys:*`, else that of `*`.
    """
    parts = key.split(":")
    starred = [f"{':'.join(parts[:number])}:*" for number in range(len(parts) - 1, 0, -1)]
    return list(dict.fromkeys([key, *starred, "*"]))
