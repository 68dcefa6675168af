"""Given past events, when a command arrives, then expect new events or a refusal.

given(*submitted(approval(role="lead", quorum=2)), granted(ALAN)) \
    .when(Approve(actor=EDSGER)) \
    .then(granted(EDSGER), ...)

An event may come with who caused it and when: `by(ALAN, event)`, `at(time, event)`; else it was the requester, at the
start. Commands arrive a minute later unless told otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from governance import Actor, GovernanceError, MutationRequest
from governance.domain.commands import Command
from governance.domain.decider import decide
from governance.domain.events import Event, RequestEvent
from governance.domain.evolution import replay
from governance.domain.recorded import Recorded
from tests.cases import GRACE, REQUEST_ID, START

LATER = START + timedelta(minutes=1)


@dataclass(frozen=True)
class Told:
    """An event with who caused it and when."""

    event: Event
    by: Actor = GRACE
    at: datetime = START


def by(actor: Actor, event: Event) -> Told:
    """Say who caused an event."""
    return Told(event, by=actor)


def at(moment: datetime, event: Event) -> Told:
    """Say when an event happened."""
    return Told(event, at=moment)


def recorded(history: Sequence[Event | Told], request_id: str = REQUEST_ID) -> tuple[Recorded, ...]:
    """Return the events in their places in the stream of a request."""
    told = [each if isinstance(each, Told) else Told(each) for each in history]
    return tuple(
        Recorded(
            stream=f"mutationRequest-{request_id}",
            version=version,
            at=each.at,
            by=each.by,
            append_id=f"append-{version}",
            event=each.event,
            position=version,
        )
        for version, each in enumerate(told, start=1)
    )


def fold(*history: Event | Told, request_id: str = REQUEST_ID) -> MutationRequest:
    """Return the request that these events describe."""
    request = replay(recorded(history, request_id))
    assert request is not None
    return request


@dataclass(frozen=True)
class When:
    """A command on its way to a request."""

    history: tuple[Event | Told, ...]
    command: Command
    now: datetime

    def decided(self) -> tuple[RequestEvent, ...]:
        """Return what the command causes."""
        return tuple(decide(self.command, fold(*self.history), self.now))

    def then(self, *expected: RequestEvent) -> None:
        """Expect exactly these events, in this order."""
        assert self.decided() == expected

    def then_kinds(self, *expected: type[RequestEvent]) -> tuple[RequestEvent, ...]:
        """Expect events of exactly these kinds, and return them."""
        events = self.decided()
        assert tuple(type(each) for each in events) == expected
        return events

    def then_refused(self, error: type[GovernanceError], match: str | None = None, **ids: str) -> None:
        """Expect exactly this refusal, which names these ids, and that nothing has changed."""
        before = fold(*self.history)
        with pytest.raises(error, match=match) as caught:
            decide(self.command, before, self.now)
        assert caught.type is error
        assert caught.value.ids.items() >= ids.items()
        assert before == fold(*self.history)

    def then_request(self) -> MutationRequest:
        """Return the request as the command leaves it."""
        caused = [Told(each, by=self.command.actor, at=self.now) for each in self.decided()]
        return fold(*self.history, *caused)


@dataclass(frozen=True)
class Given:
    """A request as its history has made it."""

    history: tuple[Event | Told, ...]

    def when(self, command: Command, *, now: datetime = LATER) -> When:
        """Let a command arrive."""
        return When(self.history, command, now)


def given(*history: Event | Told) -> Given:
    """Begin with what has happened."""
    return Given(history)
