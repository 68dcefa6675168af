"""From the log to the agenda: what each event makes due, and when. Reads only the events themselves."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from msgspec.json import Decoder

from governance.domain.conditions import EVERYTHING
from governance.event_store.agenda import (
    MICROSECONDS,
    Step,
    change,
    clear,
    drop,
    finish,
    put,
    stir,
    touch,
    wait_for,
    wake,
)
from governance.streams import stream_id

REQUEST: Final = "request"
"""The item of each open request that is its execution, once it is approved."""
DEADLINE: Final = "deadline"
"""The item of each request that is its earliest deadline."""

CALENDARS: Final = "calendars"
"""Where the names of calendars stand, so that they can be listed."""
QUOTAS: Final = "quotas"
"""Where the keys of quotas stand that were defined or used."""

DIRECT, EXECUTION, BATCH = "direct", "execution", "batch"
EXPIRY, SCHEDULE, DEPENDENCY, QUOTA, CHECK = "expiry", "schedule", "dependency", "quota", "external_check"
RESERVED, RETURN, CANCEL = "reserved", "return", "cancel_check"
RECONCILE: Final = "reconcile"
"""The item, and the kind, of each request whose execution in another system was begun and not told of since."""
RECONCILED_AFTER_SECONDS: Final = 3
EXECUTIONS: Final = (DIRECT, EXECUTION, BATCH)
_LATER: Final = (SCHEDULE, QUOTA)
"""What is met last, so that it is looked at again whenever something else was met."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LONGEST_PAUSE_SECONDS = 300
_ENVELOPE: Final = Decoder(dict[str, Any])


class Stored(NamedTuple):
    """An event as the fold sees it."""

    topic: str
    id: str
    position: int
    at: int
    data: dict[str, Any]


def micros(moment: datetime) -> int:
    """Return the moment in microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(microseconds: int) -> datetime:
    """Return the moment that is so many microseconds after 1970 began."""
    return _EPOCH + microseconds * _MICROSECOND


def read_all(notifications: Iterable[Any]) -> Iterator[Stored]:
    """Yield stored events as the fold sees them; what is damaged is passed over, for nothing can follow from it."""
    for each in notifications:
        with suppress(ValueError, KeyError, TypeError):
            yield _read(each)


def _read(notification: Any) -> Stored:
    envelope = _ENVELOPE.decode(notification.state)
    at = micros(datetime.fromisoformat(envelope["at"]))
    return Stored(notification.topic, stream_id(str(notification.originator_id)), notification.id, at, envelope["data"])


def steps(events: Iterable[Stored]) -> Iterator[Step]:
    """Return what the events do to the agenda, in order."""
    for event in events:
        with suppress(ValueError, KeyError, TypeError):
            yield from list(STEPS[event.topic](event))


def quota_key(key: str) -> str:
    """Return what rows that wait for tokens of a quota are woken by."""
    return f"quota:{key}"


def calendar_key(name: str) -> str:
    """Return what rows that wait for a calendar are woken by."""
    return f"calendar:{name}"


def dependency_key(until: str, request_id: str) -> str:
    """Return what rows that wait for a request are woken by."""
    return f"{until}:{request_id}"


def _time(given: str | None) -> int | None:
    return None if given is None else micros(datetime.fromisoformat(given))


def _created(event: Stored) -> Iterator[Step]:
    kind = DIRECT if event.data.get("batch_id") is None else BATCH
    yield put(event.id, REQUEST, kind, event.position, state_id=event.data["state_id"])
    yield from _deadline(event, event.data.get("expires_at"))


def _deadline(event: Stored, ends: str | None) -> Iterator[Step]:
    if ends is not None:
        yield put(event.id, DEADLINE, EXPIRY, event.position, due_at=_time(ends), earliest=1)


def _pending(event: Stored) -> Iterator[Step]:
    """A requirement was opened: the request waits, and does not run meanwhile."""
    yield change(event.id, (DIRECT, EXECUTION), EXECUTION, None, event.position)
    yield touch(event.id, (BATCH,), None, event.position)
    yield from _deadline(event, event.data.get("expires_at"))


def _schedule(event: Stored) -> Iterator[Step]:
    yield from _pending(event)
    asked = event.data["requirement"]
    due_at = max(event.at, _time(asked.get("not_before")) or event.at)
    woken = calendar_key(asked.get("window") or EVERYTHING)
    yield put(event.id, event.data["requirement_id"], SCHEDULE, event.position, due_at=due_at, wake=woken)


def _dependency(event: Stored) -> Iterator[Step]:
    yield from _pending(event)
    asked, item = event.data["requirement"], event.data["requirement_id"]
    yield put(event.id, item, DEPENDENCY, event.position, due_at=event.at)
    yield wait_for(event.id, item, [dependency_key(asked["until"], each) for each in asked["requests"]])


def _quota(event: Stored) -> Iterator[Step]:
    yield from _pending(event)
    woken = quota_key(event.data["requirement"]["key"])
    yield put(event.id, event.data["requirement_id"], QUOTA, event.position, due_at=event.at, wake=woken)


def _check(event: Stored) -> Iterator[Step]:
    yield from _pending(event)
    yield put(event.id, event.data["requirement_id"], CHECK, event.position, due_at=event.at)


def _met(event: Stored) -> Iterator[Step]:
    yield drop(event.id, event.data["requirement_id"])
    yield touch(event.id, _LATER, event.at, event.position)


def _check_failed(event: Stored) -> Iterator[Step]:
    """A check that said no is over; one that nobody waited for any longer is told so when the request ends."""
    if event.data["why"] == "failed":
        yield drop(event.id, event.data["requirement_id"])


def _quorum(event: Stored) -> Iterator[Step]:
    yield touch(event.id, _LATER, event.at, event.position)


def _reserved(event: Stored) -> Iterator[Step]:
    yield put(QUOTAS, event.data["key"], QUOTAS, event.position, wake=QUOTAS)
    yield put(event.id, event.data["requirement_id"], RESERVED, event.position)


def _withdrawn(event: Stored) -> Iterator[Step]:
    yield touch(event.id, (EXPIRY,), event.at, event.position)


def _approved(event: Stored) -> Iterator[Step]:
    yield change(event.id, (DIRECT, EXECUTION), None, event.at, event.position)


def _resolved(event: Stored) -> Iterator[Step]:
    if event.data["outcome"] == "renewal_required":
        yield change(event.id, (RESERVED,), RETURN, event.at, event.position)
        yield clear(event.id, (*EXECUTIONS, EXPIRY, RETURN))


def _failed(event: Stored) -> Iterator[Step]:
    yield drop(event.id, RECONCILE)
    if event.data["final"]:
        yield from _ended(event)
        return
    pause = min(2 ** event.data["attempt"], _LONGEST_PAUSE_SECONDS) * MICROSECONDS
    yield touch(event.id, (DIRECT, EXECUTION), event.at + pause, event.position)


def _started(event: Stored) -> Iterator[Step]:
    """Nobody else may run it; if nothing is heard of it, somebody asks the state's own store."""
    due_at = event.at + RECONCILED_AFTER_SECONDS * MICROSECONDS
    yield touch(event.id, (DIRECT, EXECUTION), due_at + MICROSECONDS, event.position)
    yield put(event.id, RECONCILE, RECONCILE, event.position, due_at=due_at)


def _executed(event: Stored) -> Iterator[Step]:
    yield clear(event.id, (RETURN, CANCEL))
    yield finish(dependency_key("executed", event.id), event.at, event.position)
    delivered = dependency_key("delivered", event.id)
    yield (stir if event.data.get("effects") else finish)(delivered, event.at, event.position)


def _ended(event: Stored) -> Iterator[Step]:
    yield change(event.id, (RESERVED,), RETURN, event.at, event.position)
    yield change(event.id, (CHECK,), CANCEL, event.at, event.position)
    yield clear(event.id, (RETURN, CANCEL))
    for until in ("executed", "delivered"):
        yield stir(dependency_key(until, event.id), event.at, event.position)


def _effect(event: Stored) -> Iterator[Step]:
    yield stir(dependency_key("delivered", event.id), event.at, event.position)


def _listed(event: Stored) -> Iterator[Step]:
    yield put(CALENDARS, event.id, CALENDARS, event.position, wake=CALENDARS)


def _calendar(event: Stored) -> Iterator[Step]:
    """Something may open earlier than was thought; a freeze only makes things later, and is found when it is time."""
    yield from _listed(event)
    everything = SCHEDULE if event.id == EVERYTHING else None
    yield wake(calendar_key(event.id), event.at, event.position, everything)


def _returned(event: Stored) -> Iterator[Step]:
    yield drop(event.data["request_id"], event.data["requirement_id"])
    yield wake(quota_key(event.id), event.at, event.position)


def _defined(event: Stored) -> Iterator[Step]:
    yield put(QUOTAS, event.id, QUOTAS, event.position, wake=QUOTAS)
    everything = QUOTA if "*" in event.id else None
    yield wake(quota_key(event.id), event.at, event.position, everything)


STEPS: Final[dict[str, Callable[[Stored], Iterator[Step]]]] = {
    "Created": _created,
    "PendingApproval": _pending,
    "PendingSchedule": _schedule,
    "PendingDependency": _dependency,
    "PendingQuota": _quota,
    "PendingExternalCheck": _check,
    "ScheduleReached": _met,
    "DependencySatisfied": _met,
    "ExternalCheckPassed": _met,
    "ExternalCheckFailed": _check_failed,
    "QuotaReserved": _reserved,
    "QuorumReached": _quorum,
    "ApprovalWithdrawn": _withdrawn,
    "Approved": _approved,
    "VersionResolved": _resolved,
    "ExecutionFailed": _failed,
    "ExecutionStarted": _started,
    "Executed": _executed,
    "Rejected": _ended,
    "Canceled": _ended,
    "Expired": _ended,
    "Superseded": _ended,
    "Compensated": _ended,
    "EffectDelivered": _effect,
    "EffectDropped": _effect,
    "CalendarDefined": _calendar,
    "FreezeDeclared": _listed,
    "FreezeLifted": _calendar,
    "QuotaDefined": _defined,
    "TokensReleased": _returned,
}
"""What each event does to the agenda; other events do nothing to it."""
