"""Dependencies: requests go on when the requests that they wait for have been executed, or end when they never will."""

from collections.abc import Sequence
from datetime import datetime
from itertools import count
from typing import ClassVar

from governance.appending import Append
from governance.domain.actors import SYSTEM
from governance.domain.condition_commands import Failure, Release
from governance.domain.condition_events import DependencySatisfied
from governance.domain.conditions import DependencyRequirement
from governance.domain.decider import decide
from governance.domain.events import RequestEvent
from governance.domain.expiry import due
from governance.domain.request import MutationRequest
from governance.engines.agenda import Agenda, Entry
from governance.engines.conditions import Conditions
from governance.engines.engine import Performed
from governance.engines.folding import DEPENDENCY, dependency_key
from governance.engines.performing import AgendaEngine, Store, answer
from governance.engines.schedules import waiting_for


class Dependencies(AgendaEngine):
    """Looks once when the dependency opens, and once when the last of the others has come far enough."""

    name: ClassVar[str] = "dependency"

    def __init__(self, agenda: Agenda, store: Store, conditions: Conditions) -> None:
        super().__init__(agenda)
        self.kinds = (DEPENDENCY,)
        self._store = store
        self._conditions = conditions

    def do(self, entry: Entry, now: datetime) -> Performed:
        """Record that all of them are executed, or that one never will be; else wait for those that are not."""
        missing: list[tuple[DependencyRequirement, list[str]]] = []
        came: list[str] = []
        looks = count()

        def decided(request: MutationRequest, at: datetime, append: Append) -> Sequence[RequestEvent]:
            del append
            missing.clear()
            came.clear()
            fresh = next(looks) > 0  # on the word of memory first; that it has to wait is for the store to say
            opened = waiting_for(request, entry.row.item)
            if opened is None or not isinstance(opened.asked, DependencyRequirement) or due(request, at):
                return ()
            unmet, never = self._conditions.unmet(opened.asked, fresh=fresh)
            if unmet and never is None:
                missing.append((opened.asked, unmet))
                return ()
            satisfied = DependencySatisfied(requirement_id=opened.id, requests=opened.asked.requests)
            came.append("released" if never is None else "rejected")
            failed = Failure(requirement_id=opened.id, reason=never) if never is not None else None
            return decide(Release(actor=SYSTEM, met=(satisfied,), failed=failed), request, at)

        self._store.act(entry.row.request_id, now, decided)
        if missing:
            return self._go_on_waiting(entry, *missing[0])
        return answer(entry, "done", came[-1] if came else "moved on")

    def _go_on_waiting(self, entry: Entry, asked: DependencyRequirement, unmet: Sequence[str]) -> Performed:
        met = [dependency_key(asked.until, each) for each in asked.requests if each not in set(unmet)]
        if not met or self._agenda.settled(entry, met):
            return self.wait(entry, None)
        self._agenda.give_back(entry)  # the last was executed just now, by which nothing would wake it any more
        return answer(entry, "waiting", "waits")
