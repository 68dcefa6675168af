"""What engines that work from the agenda have in common: finding, storing what was decided, and what errors mean."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final, NamedTuple

from governance.appending import Append
from governance.domain.actors import SYSTEM
from governance.domain.errors import (
    AlreadyDecidedError,
    ApprovalExpiredError,
    ConcurrencyError,
    GovernanceError,
    InvalidTransitionError,
    NotDueError,
    OutcomeUnknownError,
    StoreUnavailableError,
)
from governance.domain.events import RequestEvent
from governance.domain.request import MutationRequest
from governance.domain.values import clean
from governance.engines.agenda import Agenda, Entry
from governance.engines.engine import DueItem, Performed, Plan, Result
from governance.event_store.log import EventLog
from governance.ids import new_id
from governance.repository import Repository
from governance.retrying import attempts

LONGEST_PAUSE: Final = timedelta(minutes=5)
SOMEBODY_ELSE: Final = (
    ConcurrencyError,
    InvalidTransitionError,
    AlreadyDecidedError,
    NotDueError,
    ApprovalExpiredError,
)
"""Errors by which the request turns out not to be what the agenda thought: it is looked at again."""


Decide = Callable[[MutationRequest, datetime, Append], Sequence[RequestEvent]]
"""What is recorded of a request at a time; events of other streams go into the append."""


class Store:
    """Loads a request, has something decided on it and stores that, again when somebody else was faster."""

    def __init__(self, log: EventLog, repository: Repository, budget_seconds: float) -> None:
        self.log = log
        self.repository = repository
        self._budget_seconds = budget_seconds

    def act(
        self,
        request_id: str,
        now: datetime,
        decide: Decide,
    ) -> MutationRequest:
        """Return the request after what was decided; `decide` may put events of other streams into the append.

        Decides first on what is in memory, and on the store's word before it says that there is nothing to do.
        """
        lost: GovernanceError | None = None
        for attempt in attempts(self._budget_seconds):
            fresh = attempt > 0
            request = self.repository.request(request_id, fresh=fresh)
            try:
                decided = self._decided(request, now, decide)
            except ConcurrencyError as error:
                lost = error
            except GovernanceError as error:
                if fresh:
                    raise
                lost = error
            else:
                if decided is not None or fresh:
                    return decided or request
        raise lost or ConcurrencyError(f"others kept changing request {request_id}", request=request_id)

    def _decided(self, request: MutationRequest, now: datetime, decide: Decide) -> MutationRequest | None:
        planned = self._planned(request, now, decide)
        return None if planned is None else planned[0].store(self.log, self.repository, planned[1])

    def planned(self, request_id: str, now: datetime, decide: Decide) -> tuple[Append, MutationRequest] | None:
        """Return what is decided on a request as it is in memory, and the request that it leads to, None for nothing.

        A decision that puts events of other streams into the append must not be planned with others.
        """
        return self._planned(self.repository.request(request_id, fresh=False), now, decide)

    @staticmethod
    def _planned(request: MutationRequest, now: datetime, decide: Decide) -> tuple[Append, MutationRequest] | None:
        at = max(now, request.updated_at)
        append = Append(new_id(at), SYSTEM, at)
        events = decide(request, at, append)
        return (append, append.add_to(request, events)) if events else None

    def settle(self, plans: "Sequence[Planned]") -> Sequence[Performed | None]:
        """Store the plans together and return what came of each, None for one that something stood in the way of."""
        if not plans:
            return ()
        stored = Append.store_each([(each.append, each.request) for each in plans], self.log, self.repository)
        return [
            None if isinstance(came_of, GovernanceError) else answer(plan.item, "done", plan.what)
            for plan, came_of in zip(plans, stored, strict=True)
        ]


class Planned(NamedTuple):
    """What is to be stored for an entry, the request that it leads to, and what has been done then."""

    item: Entry
    append: Append
    request: MutationRequest
    what: str


class AgendaEngine(ABC):
    """An engine whose work is found on the agenda."""

    name: ClassVar[str]
    kinds: tuple[str, ...]

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda

    def due(self, now: datetime, limit: int) -> Sequence[DueItem]:
        """Return up to `limit` items that are due."""
        return self._agenda.due(self.name, self.kinds, now, limit) if self.kinds and limit > 0 else ()

    def perform(self, item: DueItem, now: datetime) -> Performed:
        """Do it, and say what came of it; an error at one item is an answer."""
        if not isinstance(item, Entry):
            msg = f"{type(item).__name__} was not given out by the agenda"
            raise TypeError(msg)
        try:
            return self.do(item, now)
        except (StoreUnavailableError, OutcomeUnknownError):
            raise
        except SOMEBODY_ELSE as error:
            self._agenda.give_back(item)
            return answer(item, "lost", "lost", error)
        except Exception as error:
            return self.failed(item, now, error)

    def failed(self, entry: Entry, now: datetime, error: Exception) -> Performed:
        """Return that it failed, after it was put off for longer each time."""
        pause = min(LONGEST_PAUSE, timedelta(seconds=2 ** min(entry.tries, 10)))
        self._agenda.put_off(entry, now + pause, tries=entry.tries + 1)
        return answer(entry, "failed", "failed", error)

    def wait(self, entry: Entry, until: datetime | None, what: str = "waits") -> Performed:
        """Return that it has to wait, until a time or until an event makes it due."""
        self._agenda.put_off(entry, until)
        return answer(entry, "waiting", what)

    @abstractmethod
    def do(self, entry: Entry, now: datetime) -> Performed:
        """Do it; every GovernanceError is an answer."""


class PlanningAgendaEngine(AgendaEngine):
    """An engine of the agenda whose decisions, as far as memory tells them, are stored many at a time."""

    def __init__(self, agenda: Agenda, store: Store) -> None:
        super().__init__(agenda)
        self._store = store

    def plan(self, item: DueItem, now: datetime) -> Plan | None:
        """Return what is to be stored for an item; None for whatever has to be performed to find out more."""
        try:
            return self.planned(item, now) if isinstance(item, Entry) else None
        except Exception:
            return None  # performing it says what was wrong

    def settle(self, plans: Sequence[Plan]) -> Sequence[Performed | None]:
        """Store plans of this engine and return what came of each."""
        try:
            return self._store.settle([each for each in plans if isinstance(each, Planned)])
        except (StoreUnavailableError, OutcomeUnknownError):
            raise
        except Exception:
            # One of them can never be stored: performing each says which, and does the others.
            return [None] * len(plans)

    @abstractmethod
    def planned(self, entry: Entry, now: datetime) -> Planned | None:
        """Return what memory tells is to be stored for an entry; raises what `do` would."""


def answer(entry: Entry, result: Result, what: str, error: Exception | None = None) -> Performed:
    """Return what came of an entry."""
    told = None if error is None else clean(_told(error))
    plain = DueItem.sound(
        engine=entry.engine,
        key=entry.key,
        due_at=entry.due_at,
        request_id=entry.request_id,
        group=entry.group,
        tries=entry.tries,
        touched=entry.touched,
    )
    return Performed.sound(item=plain, result=result, what=what, error=told)


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, GovernanceError) else f"{type(error).__name__}: {error}"
