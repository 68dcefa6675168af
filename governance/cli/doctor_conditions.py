"""Conditions that will not be met as things stand: closed calendars, quotas too small, requests that ended."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from governance.cli.doctor_finding import PAGE, Examined, Finding, Named
from governance.domain.conditions import EVERYTHING
from governance.domain.errors import ConfigurationError
from governance.engines.folding import QUOTA, SCHEDULE
from governance.engines.surveying import Survey

if TYPE_CHECKING:
    from governance.event_store.agenda import AgendaRow
    from projections.rows import RequestRow

_LAST: Final = {SCHEDULE: frozenset({"schedule", "quota"}), QUOTA: frozenset({"quota"})}
"""What a requirement of the kind waits for nothing but, once its turn has come: quotas are met last of all."""
_GOES_ON: Final = frozenset({"pending", "approved"})
Grouped = Mapping[str, Sequence[Named]]


def stuck_conditions(examined: Examined, parked: frozenset[str]) -> Iterator[Finding]:
    """Yield what requests wait for in vain; `parked` are the requests with effects that are not tried any more."""
    survey = Survey(examined.governance.log)
    asleep, alone = _asleep(survey, examined)
    yield from _closed(asleep[SCHEDULE], alone[SCHEDULE], examined)
    yield from _too_small(alone[QUOTA], examined)
    yield from _never_coming(survey, parked, examined)


def rows_of(examined: Examined, request_ids: Sequence[str]) -> "dict[str, RequestRow]":
    """Return what the view says of a page of requests."""
    rows = examined.views.requests(request_id=request_ids, limit=PAGE).items
    return {each.request_id: each for each in rows}


def named(row: "AgendaRow") -> Named:
    """Return the request and the requirement that a row of the agenda is about."""
    return Named(request_id=row.request_id, requirement_id=row.item)


def _asleep(survey: Survey, examined: Examined) -> tuple[Mapping[str, Grouped], Mapping[str, Grouped]]:
    """Return by kind and by calendar or quota: what no time makes due, and of those what waits for nothing else."""
    every: dict[str, defaultdict[str, list[Named]]] = {SCHEDULE: defaultdict(list), QUOTA: defaultdict(list)}
    alone: dict[str, defaultdict[str, list[Named]]] = {SCHEDULE: defaultdict(list), QUOTA: defaultdict(list)}
    for page in survey.listed(SCHEDULE, QUOTA, asleep=True):
        known = rows_of(examined, sorted({each.request_id for each in page}))
        for row in page:
            every[row.kind][row.wake].append(named(row))
            request = known.get(row.request_id)
            if (
                request is not None
                and request.status == "pending"
                and _LAST[row.kind].issuperset(request.pending_reasons)
            ):
                alone[row.kind][row.wake].append(named(row))
    return every, alone


def _closed(asleep: Grouped, alone: Grouped, examined: Examined) -> Iterator[Finding]:
    calendars = examined.governance.calendars
    for wake, waiting in asleep.items():
        window = wake.partition(":")[2]
        frozen = calendars.look(window).frozen(examined.now) or calendars.look(EVERYTHING).frozen(examined.now)
        name = "everything" if window == EVERYTHING else f"calendar {window}"
        if calendars.next_open(None if window == EVERYTHING else window, examined.now) is not None:
            late = alone.get(wake, ())
            what, then = f"{name} does not open any more from the time on that is asked for", "gov window add"
        elif frozen is not None:
            late, what = waiting, f"{name} is frozen until that is lifted ({frozen.reason})"
            then = "gov window lift or, for one request, gov window override"
        else:
            late, what, then = waiting, f"{name} does not open any more", "gov window add, or gov window override"
        if late:
            yield Finding.about("closed-calendar", late, what=f"{what}: {_wait(late)}", next=then)


def _too_small(alone: Grouped, examined: Examined) -> Iterator[Finding]:
    """Yield quotas that never have as many tokens as some ask for; the others go on meanwhile."""
    for wake, waiting in alone.items():
        key = wake.partition(":")[2]
        try:
            limit = examined.governance.quotas.rule(key).limit
        except ConfigurationError:
            limit = 0
        what = f"quota {key} has {limit:,} tokens per window, and more are asked for: {_wait(waiting)}"
        then = f"gov quota define {key} with more, or gov cancel"
        yield Finding.about("small-quota", waiting, what=what, next=then)


def _never_coming(survey: Survey, parked: frozenset[str], examined: Examined) -> Iterator[Finding]:
    """Yield requests that ended and that others wait for all the same, or whose effects are parked."""
    for keys in survey.waited_for():
        known = rows_of(examined, sorted({_request(key) for key in keys}))
        for key in keys:
            other = known.get(_request(key))
            why, then = _never(key, other, parked) if other is not None else (None, "")
            waiting = [named(row) for row in survey.waiters(key) if row.due_at is None] if why else []
            if waiting:
                what = f"request {_request(key)} {why}: {_wait(waiting)}"
                yield Finding.about("dead-dependency", waiting, what=what, next=then)


def _never(key: str, other: "RequestRow", parked: frozenset[str]) -> tuple[str | None, str]:
    if other.status == "executed":
        late = key.startswith("delivered:") and other.request_id in parked
        return ("has effects that are parked" if late else None), "gov effects retry"
    if other.status in _GOES_ON:
        return None, ""
    return f"is {other.status} and will not be executed", "cancel those that wait for it, and ask for them anew"


def _request(key: str) -> str:
    return key.partition(":")[2]


def _wait(waiting: Sequence[Named]) -> str:
    return "1 request waits" if len(waiting) == 1 else f"{len(waiting):,} requests wait"
