"""Counts and lead times by hour, day or mutation type, from the sums that the view `activity` keeps."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import RowMapping, func, select

from governance.domain.errors import InputError
from projections.conditions import can_be
from projections.database import Database
from projections.reading import Reader
from projections.views.activity import longest

Period = Literal["hour", "day"]
By = Literal["hour", "day", "mutation_type"]
Span = tuple[datetime | None, datetime | None]
_MILESTONES: Final = (
    "submitted", "approved", "ran", "executed", "rejected", "canceled", "expired", "superseded", "failed",
    "compensated",
)  # fmt: skip


@dataclass(frozen=True)
class Activity:
    """How many requests came to a milestone in the hour or day that begins at `start`."""

    start: datetime
    milestone: str
    requests: int


@dataclass(frozen=True)
class LeadTime:
    """How long requests took, in seconds; `group` is the hour, the day or the mutation type."""

    group: datetime | str
    requests: int
    mean: float
    p50: float
    p90: float
    p99: float


def activity(
    database: Database, reader: Reader, by: Period, span: Span, mutation_type: str | None
) -> tuple[Activity, ...]:
    """Return the counts of every period in which anything happened."""
    sums: dict[tuple[datetime, str], int] = defaultdict(int)
    for row in _rows(database, reader, span, mutation_type, None):
        sums[_start(row["hour"], by), row["milestone"]] += int(row["requests"])
    return tuple(Activity(start, milestone, count) for (start, milestone), count in sorted(sums.items()))


def lead_times(
    database: Database, reader: Reader, by: By, milestone: str, span: Span, mutation_type: str | None
) -> tuple[LeadTime, ...]:
    """Return the lead times to a milestone in every group; InputError for an unknown milestone."""
    if milestone not in _MILESTONES:
        msg = f"milestone: {milestone[:80]!r} is not one of {', '.join(_MILESTONES)}"
        raise InputError(msg, field="milestone")
    groups: dict[Any, dict[int, tuple[int, float]]] = defaultdict(dict)
    for row in _rows(database, reader, span, mutation_type, milestone):
        group = row["mutation_type"] if by == "mutation_type" else _start(row["hour"], by)
        count, seconds = groups[group].get(row["bucket"], (0, 0.0))
        groups[group][row["bucket"]] = (count + int(row["requests"]), seconds + row["seconds"])
    return tuple(_lead_time(group, buckets) for group, buckets in sorted(groups.items()))


def _rows(
    database: Database, reader: Reader, span: Span, mutation_type: str | None, milestone: str | None
) -> Sequence[RowMapping]:
    since, until = span
    if any(end is not None and end.tzinfo is None for end in span):
        msg = "since, until: a time needs a time zone"
        raise InputError(msg, field="since")
    if mutation_type is not None and not can_be(mutation_type):
        return ()
    with database.read() as connection:
        table = reader.tables(reader.generation(connection))["activity"]
        key = (table.c.hour, table.c.milestone, table.c.bucket, table.c.mutation_type)
        query = select(*key, func.sum(table.c.requests).label("requests"), func.sum(table.c.seconds).label("seconds"))
        asked = ((table.c.mutation_type, mutation_type), (table.c.milestone, milestone))
        query = query.where(*(column == value for column, value in asked if value is not None))
        query = query.where(*(() if since is None else (table.c.hour >= since,)))
        query = query.where(*(() if until is None else (table.c.hour < until,)))
        return connection.execute(query.group_by(*key)).mappings().all()


def _start(hour: datetime, by: str) -> datetime:
    return hour.replace(hour=0) if by == "day" else hour


def _lead_time(group: Any, buckets: Mapping[int, tuple[int, float]]) -> LeadTime:
    total = int(sum(count for count, _ in buckets.values()))
    seconds = float(sum(each for _, each in buckets.values()))
    return LeadTime(group, total, seconds / total, *(_percentile(buckets, total, share) for share in (0.5, 0.9, 0.99)))


def _percentile(buckets: Mapping[int, tuple[int, float]], total: int, share: float) -> float:
    seen = 0
    for bucket, (count, _) in sorted(buckets.items()):
        seen += count
        if seen >= share * total:
            return longest(bucket)
    return 0.0
