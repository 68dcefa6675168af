"""Reconciling: executions that were begun in another system and not told of since are settled by asking it."""

from datetime import datetime, timedelta
from typing import ClassVar, Final

from governance.domain.actors import SYSTEM
from governance.domain.errors import StoreUnavailableError
from governance.engines.agenda import Agenda, Entry
from governance.engines.engine import Performed
from governance.engines.folding import RECONCILE
from governance.engines.performing import AgendaEngine, answer
from governance.external.executing import ExternalExecution
from governance.repository import Repository

ELSEWHERE: Final = timedelta(seconds=30)
"""When an execution is looked at again whose state's store this process does not know."""


class Reconciliations(AgendaEngine):
    """Asks the state's own store what came of an execution."""

    name: ClassVar[str] = "reconcile"

    def __init__(self, agenda: Agenda, repository: Repository, external: ExternalExecution) -> None:
        super().__init__(agenda)
        self.kinds = (RECONCILE,)
        self._repository = repository
        self._external = external

    def do(self, entry: Entry, now: datetime) -> Performed:
        """Settle one."""
        request_id = entry.row.request_id
        request = self._repository.request(request_id)
        if request.started is None:
            return answer(entry, "lost", "lost")
        if not self._external.states.governs(request.state_type):
            return self.wait(entry, now + ELSEWHERE, "no store here")
        try:
            settled = self._external.reconcile(request_id, SYSTEM)
        except StoreUnavailableError as error:
            return self.failed(entry, now, error)
        return answer(entry, "done", "executed" if settled.resulting_version is not None else "nothing was written")
