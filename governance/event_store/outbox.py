"""The outbox: which effects are still to be delivered, kept beside the log and derived from it alone.

It can be emptied at any time and is then read out of the log again. Nothing in it says that an effect was delivered:
only the log does. A claim in it keeps two workers from the same work, and it runs out by itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

MICROSECONDS = 1_000_000
WAITING = "waiting"
PARKED = "parked"


class OutboxRow(BaseModel):
    """One effect that is not delivered yet; `due_at` is in microseconds since 1970, in UTC.

    Of those that wait, only the first of each state (by position, then number) is ever handed out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    effect_id: str
    request_id: str
    state_id: str
    contract: str
    position: int
    number: int
    status: str = WAITING
    attempts: int = 0
    due_at: int


class OutboxNote(BaseModel):
    """What has changed of an effect that is in the outbox."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    effect_id: str
    status: str
    attempts: int
    due_at: int


class OutboxPage(BaseModel):
    """What a piece of the log, from one position to another, does to the outbox."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: int
    after: int
    put: tuple[OutboxRow, ...] = ()
    noted: tuple[OutboxNote, ...] = ()
    gone: tuple[str, ...] = ()


class Claim(BaseModel):
    """An effect handed to one worker for a time; `token` grows with every claim, so that an old one can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    row: OutboxRow
    token: int


class OutboxCount(BaseModel):
    """How much is in the outbox; `oldest_due` is in microseconds since 1970, None when nothing waits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    waiting: int
    parked: int
    oldest_due: int | None


class Asked(BaseModel):
    """Who wants effects: of which contracts (None: of any), due by when (microseconds), how many, for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    holder: str
    contracts: tuple[str, ...] | None
    now: int
    limit: int
    seconds: float


class Outbox(ABC):
    """The outbox of one store; every call is one transaction of its own and raises StoreUnavailable."""

    @abstractmethod
    def position(self) -> int:
        """Returns up to which position of the log the outbox is derived."""

    @abstractmethod
    def take_in(self, page: OutboxPage) -> bool:
        """Returns whether the page was taken in; not when somebody else was faster, and then nothing is changed."""

    @abstractmethod
    def claim(self, asked: Asked) -> Sequence[Claim]:
        """Returns effects that are due and that nobody holds, at most one of each state, those longest due first."""

    @abstractmethod
    def hold(self, claim: Claim, holder: str, seconds: float) -> bool:
        """Returns whether the claim still stands, and then prolongs it; `seconds=0` gives it back."""

    @abstractmethod
    def rows(self, status: str | None, limit: int) -> Sequence[OutboxRow]:
        """Returns what is in the outbox, in the order of the log."""

    @abstractmethod
    def count(self) -> OutboxCount:
        """Returns how much is in the outbox."""

    @abstractmethod
    def forget(self) -> None:
        """Empties the outbox, so that it is derived from the beginning of the log."""
