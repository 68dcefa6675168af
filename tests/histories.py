"""Histories made by playing: random people giving random commands, most of which are refused, some of which are not."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from pydantic import BaseModel

from governance import (
    Actor,
    Effect,
    Governance,
    GovernanceError,
    Intent,
    Mutation,
    approval,
    policy,
    require,
)
from governance.domain.recorded import Recorded
from governance.domain.requirements import ApprovalRequirement
from tests.clocks import Clock

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
PEOPLE = ("ada", "bob", "cleo", "dan", "eve")
STATES = ("alpha:list", "beta:list", "odd\" '%_\\id")


class Items(BaseModel):
    """A state."""

    items: tuple[str, ...] = ()
    size: int = 0


class Told(Effect):
    """An effect."""

    contract = "items.told"
    item: str


class Add(Mutation[Items]):
    """Adds an item."""

    tags = ("grow",)
    category = "content"
    item: str

    def apply(self, state: Items) -> Items:
        if self.item == "bad":
            raise ValueError("no bad items")
        return Items(items=(*state.items, self.item), size=state.size + 1)

    def inverse(self, before: Items, after: Items) -> "Remove":
        return Remove(item=self.item)

    def effects(self, before: Items, after: Items) -> list[Effect]:
        return [Told(item=self.item)]


class Remove(Mutation[Items]):
    """Removes an item."""

    risk = "high"
    item: str

    def apply(self, state: Items) -> Items:
        left = tuple(each for each in state.items if each != self.item)
        return Items(items=left, size=len(left))

    def validate_on(self, state: Items) -> list[str]:
        return [] if self.item in state.items else [f"there is no {self.item}"]


@policy(Remove)
def removal_needs_a_lead(mutation: Any, state: Any, context: Any) -> Any:
    """Ask for a lead."""
    return require(approval(role="lead", expires_after=timedelta(hours=5)))


class Play:
    """Plays commands on a store; the same seed plays the same."""

    def __init__(self, url: str, seed: int) -> None:
        self.random = Random(seed)
        self.clock = Clock(START)
        self.governance = Governance.open(
            url, mutations=[Add, Remove], policies=[removal_needs_a_lead], clock=self.clock
        )
        self.ids: list[str] = []

    def __enter__(self) -> "Play":
        return self

    def __exit__(self, *_: object) -> None:
        self.governance.close()

    def commands(self, count: int) -> None:
        """Give so many commands."""
        for _ in range(count):
            self.clock.now += timedelta(seconds=self.random.choice((0, 0.25, 61, 61, 61, 1500)))
            move = self.random.choice((self._submit, self._submit, self._run, self._decide, self._decide, self._decide,
                                       self._execute, self._execute, self._other, self._other))  # fmt: skip
            try:
                move()
            except GovernanceError:
                continue

    def history(self) -> list[Recorded]:
        """Return everything that happened."""
        return list(self.governance.log.feed(0, 1_000_000))

    def actor(self) -> Actor:
        """Return somebody."""
        name = self.random.choice(PEOPLE)
        acts_for = self.random.choice((None, None, None, None, None, "bob"))
        return Actor(
            id=name,
            name=name.title(),
            roles=self.random.choice(((), ("lead",), ("lead",), ("lead", "break-glass", "break-glass-review"))),
            groups=self.random.choice(((), ("ops",), ("ops",))),
            on_behalf_of=acts_for,
            kind=self.random.choice(("user", "user", "administrator")),
        )

    def _mutation(self) -> Mutation[Items]:
        item = self.random.choice(("x", "y", "y", "x", "bad", "Straße"))
        return Add(item=item) if self.random.random() < 0.75 else Remove(item=item)

    def _asked(self) -> dict[str, Any]:
        pick = self.random.choice
        return {
            "state_id": pick(STATES),
            "actor": self.actor(),
            "reason": pick(("because", "100 % SURE_\\", "Grüße aus GROSSHADERN")),
            "stale": pick(("reject", "renew", "revalidate")),
            "expires_at": pick((None, None, self.clock.now + timedelta(hours=3))),
            "metadata": pick(({}, {"ticket": 42}, {"ticket": "42", "long": "x" * 900})),
            "intent": pick((None, Intent(tags=("prod", "eu"), metadata={"why": [1, None]}, risk="critical"))),
            "correlation_id": pick((None, "trip-1")),
        }

    def _requirements(self) -> tuple[ApprovalRequirement, ...]:
        return self.random.choice(
            (
                (),
                (approval(role="lead", quorum=2, veto=False),),
                (approval(actor=("ada", "bob"), expires_after=timedelta(hours=2)), approval(group="ops", step=2)),
                (approval(role="lead"), approval(group="ops", step=2, different_from_step=1, name="second look")),
            ),
        )

    def _submit(self) -> None:
        supersedes = self._some_id() if self.random.random() < 0.1 else None
        asked = self._asked()
        made = self.governance.submit(self._mutation(), requires=self._requirements(), supersedes=supersedes, **asked)
        self.ids.append(made.id)

    def _run(self) -> None:
        self.ids.append(self.governance.run(self._mutation(), **self._asked()).request.id)

    def _decide(self) -> None:
        if self.random.random() < 0.8:
            self.governance.approve(self._some_id(), actor=self.actor(), comment=self.random.choice((None, "fine")))
        else:
            self.governance.reject(self._some_id(), actor=self.actor(), reason="no thanks")

    def _execute(self) -> None:
        self.governance.execute(self._some_id(), actor=self.actor())

    def _other(self) -> None:
        gov, one, actor = self.governance, self._some_id(), self.actor()
        until = self.clock.now + timedelta(hours=1)
        moves = (
            lambda: gov.withdraw(one, actor=actor),
            lambda: gov.cancel(one, actor=actor),
            lambda: gov.comment(one, actor=actor, text="What about NUL-free text?"),
            lambda: gov.delegate(one, actor=actor, to=self.random.choice(PEOPLE), until=until),
            lambda: gov.break_glass(one, actor=actor, reason="it burns"),
            lambda: gov.review(one, actor=actor, justified=True, comment="it did burn"),
            lambda: self.ids.append(gov.compensate(one, actor=actor, reason="wrong").id),
            lambda: gov.expire(one),
        )
        self.random.choice(moves)()

    def _some_id(self) -> str:
        return self.random.choice(self.ids[-7:]) if self.ids else "00000000-0000-7000-8000-000000000000"
