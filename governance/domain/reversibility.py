"""Reversibility: how long, and how, what a mutation did can be put right; shown before anybody approves it."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import model_validator

from governance.domain.values import Given, Moment, Text

MAX_WITHIN = timedelta(days=36_525)


class Reversibility(Given):
    """What a mutation's class says of its way back.

    `within` counts from its execution, `until` is a time of the calendar; the earlier one is the deadline, and without
    any there is none. `by_hand` says what it takes after that, or at all when it is not `possible`.
    """

    possible: bool = True
    within: timedelta | None = None
    until: Moment | None = None
    by_hand: Text | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.within is not None and not timedelta() < self.within <= MAX_WITHIN:
            msg = f"within is longer than zero, and up to {MAX_WITHIN.days:,} days"
            raise ValueError(msg)
        if not self.possible and (self.within is not None or self.until is not None):
            msg = "what is not possible has no deadline"
            raise ValueError(msg)
        return self

    def deadline(self, executed_at: datetime | None) -> datetime | None:
        """Return when the way back ends; None for never, and before execution for what only that will tell."""
        after = executed_at + self.within if self.within is not None and executed_at is not None else None
        return min((each for each in (self.until, after) if each is not None), default=None)

    def text(self, executed_at: datetime | None = None) -> str:
        """Return it as a sentence for people."""
        by_hand = f"needs work by hand{f': {self.by_hand}' if self.by_hand else ''}"
        if not self.possible:
            return f"not reversible; {by_hand}"
        ends = self.deadline(executed_at)
        after = f"within {_duration(self.within)} of its execution" if self.within and executed_at is None else ""
        until = f"until {ends.isoformat()}" if ends is not None else ""
        if not (after or until):
            return "reversible at any time"
        return f"reversible {' and '.join(filter(None, (after, until)))}; then {by_hand}"


def reversible(
    *, within: timedelta | None = None, until: datetime | None = None, then: str | None = None
) -> Reversibility:
    """Return that a mutation can be put right: always, so long after its execution, or until a time; `then` by hand."""
    return Reversibility(within=within, until=until, by_hand=then)


def irreversible(by_hand: str | None = None) -> Reversibility:
    """Return that nothing puts a mutation right but work by hand."""
    return Reversibility(possible=False, by_hand=by_hand)


def less_reversible(one: Reversibility | None, other: Reversibility | None) -> Reversibility | None:
    """Return what both say together: the shorter way back."""
    if one is None or other is None:
        return one or other
    by_hand = other.by_hand or one.by_hand
    if not (one.possible and other.possible):
        return Reversibility(possible=False, by_hand=by_hand)
    return Reversibility(
        within=min((each.within for each in (one, other) if each.within is not None), default=None),
        until=min((each.until for each in (one, other) if each.until is not None), default=None),
        by_hand=by_hand,
    )


def _duration(time: timedelta) -> str:
    hours, seconds = divmod(int(time.total_seconds()), 3600)
    days, hours = divmod(hours, 24)
    parts = ((days, "day"), (hours, "hour"), (seconds // 60, "minute"), (seconds % 60, "second"))
    told = [f"{count} {unit}{'s' if count != 1 else ''}" for count, unit in parts if count]
    return " ".join(told) or "less than a second"
