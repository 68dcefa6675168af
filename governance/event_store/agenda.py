"""The agenda: what is to be looked at when, kept beside the log and derived from it alone.

It can be emptied at any time and is then read out of the log again. A row is a hint that it is worth looking at a
request; whether anything may happen is decided on the request's own events. A claim keeps two workers from the same
work, and it runs out by itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict

MICROSECONDS: Final = 1_000_000

Step = Mapping[str, Any]
"""One change of the agenda, as the functions below make it; applied in order."""


class AgendaRow(NamedTuple):
    """One thing to look at; `due_at` is in microseconds since 1970, None when only an event can make it due."""

    request_id: str
    item: str
    kind: str
    state_id: str
    wake: str
    due_at: int | None
    position: int
    tries: int
    touched: int


class AgendaPage(BaseModel):
    """What a piece of the log, from one position to another, does to the agenda."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: int
    after: int
    steps: tuple[dict[str, Any], ...] = ()


class AgendaClaim(BaseModel):
    """Who wants rows: of which kinds, due by when (microseconds), how many, for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: tuple[str, ...]
    now: int
    limit: int
    seconds: float


class AgendaListing(BaseModel):
    """Which rows are listed, by request and item: of which kinds, asleep (no time makes them due) or not, after which.

    With `tries`, only those that have failed so often since an event touched them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: tuple[str, ...]
    asleep: bool
    tries: int = 0
    after: tuple[str, str] = ("", "")
    limit: int


class AgendaCount(BaseModel):
    """How many rows of a kind there are, and since when the one that is due longest is (microseconds)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    rows: int
    oldest_due: int | None


class AgendaTables(ABC):
    """The agenda of one store; every call is one transaction of its own and raises StoreUnavailable."""

    @abstractmethod
    def position(self) -> int:
        """Returns up to which position of the log the agenda is derived."""

    @abstractmethod
    def take_in(self, page: AgendaPage) -> bool:
        """Returns whether the page was taken in; not when somebody else was faster, and then nothing is changed."""

    @abstractmethod
    def due_kinds(self, kinds: Sequence[str], now: int) -> Sequence[str]:
        """Returns of which of these kinds there are rows that are due (microseconds)."""

    @abstractmethod
    def claim(self, asked: AgendaClaim) -> Sequence[AgendaRow]:
        """Returns rows that are due and that nobody holds, those longest due first.

        Of those of kind `execution`, none whose state has an earlier one that somebody holds.
        """

    @abstractmethod
    def put_off(self, row: AgendaRow, until: int | None, tries: int) -> None:
        """Gives a row back, due at another time; at the time that it has, if an event has touched it meanwhile."""

    @abstractmethod
    def remove(self, row: AgendaRow) -> None:
        """Takes a row away, unless an event has touched it meanwhile."""

    @abstractmethod
    def settled(self, row: AgendaRow, keys: Sequence[str]) -> int:
        """Takes out what the row does not have to wait for any more, and returns how much is left."""

    @abstractmethod
    def waiting(self, wake: str, limit: int, *, ready: bool = False) -> Sequence[AgendaRow]:
        """Returns the rows with this wake key, in the order of the log; with `ready`, only those with a time."""

    @abstractmethod
    def count(self) -> Sequence[AgendaCount]:
        """Returns how much there is of each kind."""

    @abstractmethod
    def listed(self, asked: AgendaListing) -> Sequence[AgendaRow]:
        """Returns rows in the order of their keys."""

    @abstractmethod
    def waited_for(self, after: str, limit: int) -> Sequence[str]:
        """Returns the keys that rows wait for, in order, each once."""

    @abstractmethod
    def waiters(self, key: str, limit: int) -> Sequence[AgendaRow]:
        """Returns the rows that wait for the key, in the order of the log."""

    @abstractmethod
    def forget(self) -> None:
        """Empties the agenda, so that it is derived from the beginning of the log."""


def put(request_id: str, item: str, kind: str, position: int, **more: Any) -> Step:
    """Return the step that puts a row, or puts it anew: `due_at`, `wake`, `state_id`, `earliest` (the sooner stays)."""
    return {"do": "put", "request_id": request_id, "item": item, "kind": kind, "position": position, **more}


def wait_for(request_id: str, item: str, keys: Sequence[str]) -> Step:
    """Return the step by which a row waits for all of these keys."""
    return {"do": "wait", "request_id": request_id, "item": item, "keys": list(keys)}


def drop(request_id: str, item: str) -> Step:
    """Return the step that takes a row away."""
    return {"do": "drop", "request_id": request_id, "item": item}


def touch(request_id: str, kinds: Sequence[str], due_at: int | None, position: int) -> Step:
    """Return the step by which the request's rows of these kinds are due at another time."""
    return {"do": "touch", "request_id": request_id, "kinds": list(kinds), "due_at": due_at, "position": position}


def change(request_id: str, kinds: Sequence[str], to: str | None, due_at: int | None, position: int) -> Step:
    """Return the step by which the request's rows of these kinds are put anew, of another kind if one is given."""
    return {**touch(request_id, kinds, due_at, position), "do": "change", "to": to}


def clear(request_id: str, kept: Sequence[str]) -> Step:
    """Return the step that takes all rows of a request away but those of some kinds."""
    return {"do": "clear", "request_id": request_id, "kinds": list(kept)}


def wake(key: str, due_at: int, position: int, kind: str | None = None) -> Step:
    """Return the step by which all rows with a wake key, or all of a kind, are due."""
    do = "wake by key" if kind is None else "wake by kind"
    return {"do": do, "key": key, "kind": kind, "due_at": due_at, "position": position}


def finish(key: str, due_at: int, position: int) -> Step:
    """Return the step by which nothing waits for the key any more; rows that then wait for nothing are due."""
    return {"do": "finish", "key": key, "due_at": due_at, "position": position}


def stir(key: str, due_at: int, position: int) -> Step:
    """Return the step by which all rows that wait for the key are due, and go on waiting for it."""
    return {"do": "stir", "key": key, "due_at": due_at, "position": position}
