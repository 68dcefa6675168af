"""The peer: the eventsourcing library as it comes, with an aggregate that does about what a request does."""

from threading import local
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from scripts.benchmarks.limits import EVENT
from scripts.benchmarks.measure import Work

LIFE_CYCLE = 9
"""How many events one life cycle of the product has: the library saves as many, one by one."""


class Plain(Aggregate):
    """An aggregate of the library's own kind."""

    @event("Begun")
    def __init__(self, text: str) -> None:
        self.text = text

    @event("Noted")
    def note(self, text: str) -> None:
        """Remember a text."""
        self.text = text


class PlainApplication(Application[UUID]):
    """The library's application with nothing changed."""

    name = "plain"


def commands(application: PlainApplication) -> Work:
    """Return one command: get the aggregate, change it, save it; a new aggregate every 50 events."""
    mine = local()

    def command(caller: int, done: int) -> None:
        if done % 50 == 0:
            plain = Plain(EVENT)
            application.save(plain)
            mine.id = plain.id
            return
        found: Plain = application.repository.get(mine.id)
        found.note(EVENT)
        application.save(found)

    return command


def life_cycles(application: PlainApplication) -> Work:
    """Return one life cycle: as many events as the product's, saved one by one."""

    def cycle(caller: int, done: int) -> None:
        plain = Plain(EVENT)
        application.save(plain)
        for _ in range(LIFE_CYCLE - 1):
            plain.note(EVENT)
            application.save(plain)

    return cycle
