"""States, mutations and receivers that the tests of effects speak of."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from governance import Actor, Delivery, Effect, EffectHandler, Governance, Mutation, Settings, effect_handler
from governance.engines.engine import DueReport
from governance.engines.passing import one_pass
from tests.cases import START

GRACE = Actor(id="grace")
ROOT = Actor(id="root", kind="administrator")
WORKER = Actor(id="worker", kind="service")


class Account(BaseModel):
    """How many letters were asked for."""

    letters: int = 0


class Letter(Effect):
    contract = "letter"
    contract_version = 2
    to: str
    number: int


class Parcel(Effect):
    contract = "parcel"
    weight: int = 1


class Write(Mutation[Account]):
    """Asks for some letters, and for a parcel if told to."""

    to: str = "ada"
    letters: int = 1
    parcel: bool = False

    def apply(self, state: Account) -> Account:
        return Account(letters=state.letters + self.letters)

    def inverse(self, before: Account, after: Account) -> "Unwrite":
        return Unwrite(letters=self.letters)

    def effects(self, before: Account, after: Account) -> list[Effect]:
        letters = [Letter(to=self.to, number=number) for number in range(before.letters, after.letters)]
        return [*letters, *([Parcel()] if self.parcel else [])]


class Unwrite(Mutation[Account]):
    letters: int

    def apply(self, state: Account) -> Account:
        return Account(letters=state.letters - self.letters)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **lasting: float) -> datetime:
        self.now += timedelta(**lasting)
        return self.now


class Receiver:
    """What effects are delivered to: remembers all that arrived, and fails as often as it is told to."""

    def __init__(self, failures: int = 0, *, compensate: bool = False) -> None:
        self.failures = failures
        self.arrived: list[Delivery] = []
        self.error: Callable[[], Exception] = lambda: ConnectionError("nobody is there")
        self.handler: EffectHandler = effect_handler(Letter, name="post", compensate=compensate)(self.take)

    def take(self, letter: Letter, delivery: Delivery) -> str:
        assert isinstance(letter, Letter)
        self.arrived.append(delivery)
        if self.failures:
            self.failures -= 1
            raise self.error()
        return f"got {letter.number}"

    @property
    def keys(self) -> list[str]:
        return [each.key for each in self.arrived]


def opened(url: str, *handlers: EffectHandler, clock: Clock | None = None, **settings: Any) -> Governance:
    """Return the governance of these tests."""
    return Governance.open(
        url, mutations=[Write, Unwrite], effect_handlers=handlers, clock=clock, settings=Settings(**settings)
    )


def executed(gov: Governance, state_id: str = "a", **fields: Any) -> str:
    """Return the id of a request that was executed."""
    outcome = gov.run(Write(**fields), state_id=state_id, actor=GRACE, reason="r")
    assert outcome.executed
    return outcome.request.id


def delivered(gov: Governance, limit: int = 1_000) -> DueReport:
    """Return what came of one pass over the effects that are due."""
    return one_pass([gov.effects_engine], gov._clock(), limit)


def told(gov: Governance, request_id: str) -> list[str]:
    """Return the names of the events that the request's stream holds about effects."""
    return [type(each.event).__name__ for each in gov.history(request_id) if each.event.category == "effect"]
