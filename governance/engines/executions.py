"""Executions: requests that nothing holds any more are executed, those of one state in the order of their approval."""

from datetime import datetime
from typing import ClassVar, Literal

from governance.domain.actors import SYSTEM
from governance.domain.lifecycle import Status
from governance.engines.agenda import Agenda, Entry
from governance.engines.engine import Performed
from governance.engines.folding import DIRECT, EXECUTION
from governance.engines.performing import AgendaEngine, answer
from governance.handling import Handler

_KINDS: dict[str, tuple[str, ...]] = {"released": (EXECUTION,), "all": (EXECUTION, DIRECT), "never": ()}


class Executions(AgendaEngine):
    """Executes through the one entry that everybody uses; members of a batch are executed with their batch only."""

    name: ClassVar[str] = "execution"

    def __init__(self, agenda: Agenda, handler: Handler, which: Literal["released", "all", "never"]) -> None:
        super().__init__(agenda)
        self.kinds = _KINDS[which]
        self._handler = handler

    def do(self, entry: Entry, now: datetime) -> Performed:
        """Execute the request; what resolution makes of it is an answer too."""
        outcome = self._handler.execute(entry.row.request_id, SYSTEM, now)
        status = outcome.request.status
        if status is Status.APPROVED:
            return answer(entry, "failed", "attempt failed")
        return answer(entry, "waiting" if status is Status.PENDING else "done", str(status))
