"""What happened about conditions, calendars and quotas, as sentences."""

from collections.abc import Callable
from typing import Any

from governance.cli.text import short, visible
from governance.domain import calendar_events, condition_events, quota_events
from governance.wording import asked_for


def _needs(event: condition_events.PendingCondition) -> str:
    because = getattr(event, "because", None)
    why = f": “{visible(because)}”" if because else ""
    return f"{event.requirement_id} needs {visible(asked_for(event.requirement))}{why}"


def _quoted(text: str | None) -> str:
    return f": “{visible(text)}”" if text else ""


def _freeze(event: calendar_events.FreezeDeclared) -> str:
    until = f"until {event.ends:%Y-%m-%d %H:%M:%S}" if event.ends else "until it is lifted"
    return f"freeze {visible(event.freeze_id)} from {event.begins:%Y-%m-%d %H:%M:%S} {until}{_quoted(event.reason)}"


def _failed(event: condition_events.ExternalCheckFailed) -> str:
    said = "said no" if event.why == "failed" else "did not answer in time"
    return f"check {visible(event.check)} {said}"


CONDITION_SENTENCES: dict[type, Callable[[Any], str]] = {
    condition_events.PendingSchedule: _needs,
    condition_events.PendingDependency: _needs,
    condition_events.PendingQuota: _needs,
    condition_events.PendingExternalCheck: _needs,
    condition_events.ScheduleReached: lambda e: f"{e.requirement_id}: it is time",
    condition_events.DependencySatisfied: lambda e: (
        f"{e.requirement_id}: all of its {len(e.requests)} request(s) are executed"
    ),
    condition_events.QuotaReserved: lambda e: f"{e.requirement_id}: took {e.tokens:,} of quota {visible(e.key)}",
    condition_events.ExternalCheckPassed: lambda e: f"check {visible(e.check)} said yes",
    condition_events.ExternalCheckFailed: _failed,
    condition_events.WindowOverridden: lambda e: f"let it run outside its window{_quoted(e.reason)}",
    calendar_events.CalendarDefined: lambda e: f"has {len(e.openings)} opening(s) in {visible(e.zone)}",
    calendar_events.FreezeDeclared: _freeze,
    calendar_events.FreezeLifted: lambda e: f"freeze {visible(e.freeze_id)} lifted{_quoted(e.reason)}",
    quota_events.QuotaDefined: lambda e: f"{e.limit:,} tokens per {e.per}, {e.window}",
    quota_events.TokensReserved: lambda e: f"{e.tokens:,} tokens taken by {short(e.request_id)}",
    quota_events.TokensReleased: lambda e: f"{e.tokens:,} tokens came back from {short(e.request_id)}",
}
