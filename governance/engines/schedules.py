"""Schedules: requests go on when it is time and their window is open."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from governance.appending import Append
from governance.domain.actors import SYSTEM
from governance.domain.condition_commands import Release
from governance.domain.condition_events import ScheduleReached
from governance.domain.conditions import ScheduleRequirement
from governance.domain.decider import decide
from governance.domain.events import RequestEvent
from governance.domain.expiry import due
from governance.domain.request import MutationRequest, OpenedRequirement
from governance.engines.agenda import Agenda, Entry
from governance.engines.conditions import Conditions
from governance.engines.engine import Performed
from governance.engines.folding import SCHEDULE
from governance.engines.performing import Planned, PlanningAgendaEngine, Store, answer

RELEASED = "released"
_LATER = frozenset({"schedule", "quota"})


class Schedules(PlanningAgendaEngine):
    """Lets requests out at their time; into a window only once everything else but a quota is met."""

    name: ClassVar[str] = "schedule"

    def __init__(self, agenda: Agenda, store: Store, conditions: Conditions) -> None:
        super().__init__(agenda, store)
        self.kinds = (SCHEDULE,)
        self._conditions = conditions

    def do(self, entry: Entry, now: datetime) -> Performed:
        """Record that it is time, or put it off to when it may be."""
        until: list[datetime | None] = []
        what = "moved on"

        def decided(request: MutationRequest, at: datetime, append: Append) -> Sequence[RequestEvent]:
            nonlocal what
            del append
            until.clear()
            events = self._decided(entry, request, at, until)
            what = RELEASED if events else "moved on"
            return events

        self._store.act(entry.row.request_id, now, decided)
        if until:
            return self.wait(entry, until[0])
        return answer(entry, "done", what)

    def planned(self, entry: Entry, now: datetime) -> Planned | None:
        """Return the release if it is time by what memory tells."""
        planned = self._store.planned(
            entry.row.request_id, now, lambda request, at, _: self._decided(entry, request, at, [])
        )
        return None if planned is None else Planned(entry, *planned, RELEASED)

    def _decided(
        self, entry: Entry, request: MutationRequest, at: datetime, until: list[datetime | None]
    ) -> Sequence[RequestEvent]:
        """Return the events of the release; none when it is over, or not before the time that `until` is given."""
        opened = waiting_for(request, entry.row.item)
        if opened is None or not isinstance(opened.asked, ScheduleRequirement) or due(request, at):
            return ()
        opens = self._opens(request, opened.asked, at)
        if opens != at:
            until.append(opens)
            return ()
        return decide(Release(actor=SYSTEM, met=(self._reached(opened),)), request, at)

    def _opens(self, request: MutationRequest, asked: ScheduleRequirement, at: datetime) -> datetime | None:
        if request.outside_windows:
            return max(at, asked.not_before or at)
        early = asked.not_before is not None and at < asked.not_before
        if asked.window is not None and not early and any(_first(each) for each in request.open_requirements):
            return None
        return self._conditions.opens(asked, at, fresh=False)

    def _reached(self, opened: OpenedRequirement) -> ScheduleReached:
        asked = opened.asked
        window = asked.window if isinstance(asked, ScheduleRequirement) else None
        version = self._conditions.calendar_version(window)
        return ScheduleReached(requirement_id=opened.id, window=window, calendar_version=version)


def waiting_for(request: MutationRequest, requirement_id: str) -> OpenedRequirement | None:
    """Return the requirement if the request waits for it, None when that is over."""
    return next((each for each in request.open_requirements if each.id == requirement_id), None)


def _first(opened: OpenedRequirement) -> bool:
    return opened.asked.kind not in _LATER
