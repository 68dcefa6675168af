"""The view `activity`: per hour and mutation type, how many requests came how far, and how long that took them."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, Column, Float, Integer

from projections.events import AnyEvent
from projections.filters import Fields, Plain
from projections.tables import KEY, Key, Moment, ViewTable
from projections.view import Rows, View
from projections.views.executions import seconds_between

ACTIVITY: Final[tuple[Column[Any], ...]] = (
    Column("hour", Moment, nullable=False),
    Column("mutation_type", KEY, nullable=False),
    Column("milestone", KEY, nullable=False),
    Column("bucket", Integer, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
)
STEPS_PER_DOUBLING: Final = 4
"""How finely times are told apart: neighbouring buckets differ by a factor of 2 to the power of a fourth, or 19 %."""
MILESTONES: Final = {
    "Created": "submitted",
    "Approved": "approved",
    "Executed": "executed",
    "Rejected": "rejected",
    "Canceled": "canceled",
    "Expired": "expired",
    "Superseded": "superseded",
    "Compensated": "compensated",
}


class Milestones:
    """When one request came how far."""

    __slots__ = ("approved_at", "created_at", "mutation_type")

    def __init__(self) -> None:
        self.mutation_type = ""
        self.created_at: str | None = None
        self.approved_at: str | None = None


class Activity(View[Milestones]):
    """Counts, and sums of seconds since submission, by hour (UTC), type and milestone.

    `ran` counts executions once more, with the seconds since approval. Times are kept in buckets, for percentiles.
    """

    name: ClassVar[str] = "activity"
    topics: ClassVar[frozenset[str] | None] = frozenset({*MILESTONES, "ExecutionFailed"})
    tables: ClassVar[tuple[ViewTable, ...]] = (
        ViewTable(
            "activity",
            ACTIVITY,
            key=("hour", "mutation_type", "milestone", "bucket"),
            written="added",
            indexes=(Key(("mutation_type", "hour")),),
        ),
    )
    fields: ClassVar[Fields] = {
        "mutation_type": Plain("mutation_type"),
        "milestone": Plain("milestone"),
        "hour": Plain("hour", "moment"),
    }
    sorts: ClassVar[Mapping[str, tuple[str, ...]]] = {"hour": ("hour", "mutation_type", "milestone", "bucket")}

    def begin(self, stream: str) -> Milestones:
        """Return a request that has not come anywhere."""
        return Milestones()

    def apply(self, state: Milestones, event: AnyEvent, rows: Rows) -> None:
        """Add one to what the event is a milestone of."""
        if event.topic == "Created":
            state.mutation_type = event.data.mutation.type
            state.created_at = event.at
        elif event.topic == "Approved":
            state.approved_at = event.at
        if event.topic == "Executed" and state.approved_at is not None:
            _count(state, "ran", state.approved_at, event.at, rows)
        if event.topic == "ExecutionFailed":
            if event.data.final:
                _count(state, "failed", state.created_at, event.at, rows)
            return
        _count(state, MILESTONES[event.topic], state.created_at, event.at, rows)


def bucket(seconds: float) -> int:
    """Return the bucket of a duration: 0 below a hundredth of a second, then one for every 19 %."""
    return max(0, math.ceil(STEPS_PER_DOUBLING * math.log2(seconds * 100))) if seconds > 0 else 0


def longest(number: int) -> float:
    """Return the longest duration, in seconds, that falls into a bucket."""
    return float(2.0 ** (number / STEPS_PER_DOUBLING) / 100)


def _count(state: Milestones, milestone: str, since: str | None, at: str, rows: Rows) -> None:
    seconds = max(0.0, seconds_between(since, at)) if since is not None and since != at else 0.0
    rows.add("activity", (f"{at[:13]}:00:00.000000Z", state.mutation_type, milestone, bucket(seconds), 1, seconds))
