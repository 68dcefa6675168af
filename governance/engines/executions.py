"""Executions: requests that nothing holds any more are executed, those of one state in the order of their approval."""

from datetime import datetime
from typing import ClassVar, Literal

from governance.domain.actors import SYSTEM
from governance.domain.lifecycle import Status
from governance.engines.agenda import Agenda, Entry
from governance.engines.engine import Performed
from governance.engines.folding import DIRECT, EXECUTION
from governance.engines.performing import Planned, PlanningAgendaEngine, Store, answer
from governance.handling import Handler

_KINDS: dict[str, tuple[str, ...]] = {"released": (EXECUTION,), "all": (EXECUTION, DIRECT), "never": ()}


class Executions(PlanningAgendaEngine):
    """Executes through the one entry that everybody uses; members of a batch are executed with their batch only."""

    name: ClassVar[str] = "execution"

    def __init__(
        self, agenda: Agenda, store: Store, handler: Handler, which: Literal["released", "all", "never"]
    ) -> None:
        super().__init__(agenda, store)
        self.kinds = _KINDS[which]
        self._handler = handler

    def do(self, entry: Entry, now: datetime) -> Performed:
        """Execute the request; what resolution makes of it is an answer too."""
        outcome = self._handler.execute(entry.row.request_id, SYSTEM, now)
        status = outcome.request.status
        if status is Status.APPROVED:
            return answer(entry, "failed", "attempt failed")
        return answer(entry, "waiting" if status is Status.PENDING else "done", str(status))

    def planned(self, entry: Entry, now: datetime) -> Planned | None:
        """Return the execution if, by what memory tells, it is nothing but a change of the state."""
        planned = self._handler.planned(entry.row.request_id, SYSTEM, now)
        return None if planned is None else Planned(entry, *planned, str(Status.EXECUTED))
