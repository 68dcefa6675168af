"""The interface by which due work is found and performed, in one pass (`run_due`) or by many workers at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from governance.domain.values import Value

Result = Literal["done", "waiting", "lost", "failed"]
"""`done`: it is off the agenda. `waiting`: not now after all, it comes up again. `lost`: somebody else did it, or is
about to. `failed`: an error, which is told; it comes up again."""


class DueItem(Value):
    """Something to look at now: a hint from an index, never a permission. Whoever performs it asks the log again.

    `key` names it within its engine for as long as it is due; `group` names what is done in order (such as a state), so
    that a driver with several threads gives items of one group to one thread, in the order in which they came.
    """

    engine: str
    key: str
    due_at: datetime
    request_id: str | None = None
    group: str | None = None
    tries: int = 0
    touched: int = 0


class Performed(Value):
    """What came of one item: `what` says it for people and counters, as in `executed` or `rejected`."""

    item: DueItem
    result: Result
    what: str
    error: str | None = None


class Engine(Protocol):
    """Finds and performs one kind of due work; safe to share between threads, and between workers on many machines."""

    @property
    def name(self) -> str:
        """Return the engine's name, unique among all."""

    def due(self, now: datetime, limit: int) -> Sequence[DueItem]:
        """Return up to `limit` items that are due, longest due first; each is this caller's for a lease of seconds.

        Others are not given the same item before the lease has run out or `perform` has come back. Raises only
        StoreUnavailableError.
        """

    def perform(self, item: DueItem, now: datetime) -> Performed:
        """Do it, at most once however many try: the version of the stream decides. Lost races and errors are answers.

        Raises only StoreUnavailableError and OutcomeUnknownError; then the item comes up again after its lease.
        """


class Plan(Protocol):
    """What an engine has decided about one item and not stored yet; only that engine can read it."""

    @property
    def item(self) -> DueItem:
        """Return what was decided about."""


@runtime_checkable
class PlanningEngine(Engine, Protocol):
    """An engine that can decide on several items, one after the other, and then store all of that at once."""

    def plan(self, item: DueItem, now: datetime) -> Plan | None:
        """Return what is to be stored for an item; None when it is not that simple, which `perform` is for.

        Raises nothing and stores nothing.
        """

    def settle(self, plans: Sequence[Plan]) -> Sequence[Performed | None]:
        """Store the plans, each all or nothing, and return what came of each: None for one that has to be performed.

        Raises only StoreUnavailableError and OutcomeUnknownError; then the items come up again after their lease.
        """


class DueReport(Value):
    """What one pass did, in the order in which it was done."""

    at: datetime
    performed: tuple[Performed, ...] = ()
    more: bool = False
    """Whether the limit ended the pass before everything that was due had been looked at."""

    @property
    def failures(self) -> tuple[Performed, ...]:
        """Return the items that ended by an error."""
        return tuple(each for each in self.performed if each.result == "failed")

    def count(self, what: str) -> int:
        """Return how many items came to this, as in `count("executed")`."""
        return sum(1 for each in self.performed if each.what == what)
