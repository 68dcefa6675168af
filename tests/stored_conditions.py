"""One complete sample of every event about conditions, calendars and quotas."""

from datetime import UTC, date, datetime, timedelta

from governance import dependency, external_check, quota, schedule
from governance.domain.calendar_events import CalendarDefined, FreezeDeclared, FreezeLifted, Opening, Span
from governance.domain.condition_events import (
    DependencySatisfied,
    ExternalCheckFailed,
    ExternalCheckPassed,
    PendingDependency,
    PendingExternalCheck,
    PendingQuota,
    PendingSchedule,
    QuotaReserved,
    ScheduleReached,
    WindowOverridden,
)
from governance.domain.events import Event
from governance.domain.quota_events import QuotaDefined, TokensReleased, TokensReserved
from tests.cases import HOUR, OTHER_ID, REQUEST_ID

AT = datetime(2026, 3, 2, 9, 30, 15, 123456, tzinfo=UTC)
DIGEST = "sha256:" + "0123456789abcdef" * 4
WHY = 'a "quoted" reason\nof two lines, \u202eRTL\u202c and <b>markup</b>'

CONDITIONS: dict[str, Event] = {
    "PendingSchedule": PendingSchedule(
        requirement_id="1.2",
        round=1,
        requirement=schedule(not_before=AT + HOUR, not_after=AT + 24 * HOUR, window="nightly", name="at night"),
        expires_at=AT + 24 * HOUR,
        digest=DIGEST,
        because=WHY,
    ),
    "PendingDependency": PendingDependency(
        requirement_id="1.3",
        round=1,
        requirement=dependency(OTHER_ID, until="delivered", on_failure="wait", name="first"),
        expires_at=None,
        digest=DIGEST,
        because="request was compensated",
    ),
    "PendingQuota": PendingQuota(
        requirement_id="1.4",
        round=1,
        requirement=quota("deploys:tenant-42", 3, name="not too many"),
        expires_at=None,
        digest=DIGEST,
    ),
    "PendingExternalCheck": PendingExternalCheck(
        requirement_id="1.5",
        round=1,
        requirement=external_check("ticket", timeout=2 * HOUR, on_timeout="wait"),
        expires_at=None,
        digest=DIGEST,
    ),
    "ScheduleReached": ScheduleReached(requirement_id="1.2", window="nightly", calendar_version=3),
    "DependencySatisfied": DependencySatisfied(requirement_id="1.3", requests=(OTHER_ID,)),
    "QuotaReserved": QuotaReserved(requirement_id="1.4", key="deploys:tenant-42", tokens=3),
    "ExternalCheckPassed": ExternalCheckPassed(
        requirement_id="1.5", check="ticket", digest=DIGEST, evidence={"ticket": "OPS-1", "log": [1, 2.5, None]}
    ),
    "ExternalCheckFailed": ExternalCheckFailed(
        requirement_id="1.5", check="ticket", digest=DIGEST, why="timeout", evidence={"said": WHY}
    ),
    "WindowOverridden": WindowOverridden(approver="alan", reason=WHY),
    "CalendarDefined": CalendarDefined(
        zone="Europe/Berlin",
        openings=(Opening(cron="0 22 * * 1-5", lasts=timedelta(hours=6)),),
        closed_on=(date(2026, 12, 24),),
        also_open=(Span(begins=AT, ends=AT + HOUR),),
        description=WHY,
    ),
    "FreezeDeclared": FreezeDeclared(freeze_id="f1", begins=AT, ends=AT + 24 * HOUR, reason=WHY),
    "FreezeLifted": FreezeLifted(freeze_id="f1", reason=WHY),
    "QuotaDefined": QuotaDefined(limit=10, per=timedelta(hours=1), window="sliding"),
    "TokensReserved": TokensReserved(request_id=REQUEST_ID, requirement_id="1.4", tokens=3),
    "TokensReleased": TokensReleased(request_id=REQUEST_ID, requirement_id="1.4", tokens=3),
}

CONDITION_STREAMS = {
    **dict.fromkeys(("CalendarDefined", "FreezeDeclared", "FreezeLifted"), "changeCalendar-nightly"),
    **dict.fromkeys(("QuotaDefined", "TokensReserved", "TokensReleased"), "quota-deploys:tenant-42"),
}
