"""Views beside writers: how soon a command can be read, and what a rebuild costs those who write."""

from collections.abc import Callable
from functools import partial
from threading import Event, Thread
from time import perf_counter, sleep

from governance import Governance, approval
from projections import Views
from scripts.benchmarks import ours
from scripts.benchmarks.measure import Rate, Table, rate, rate_of
from scripts.benchmarks.projections_work import running

COMMANDS_PER_SECOND = 200
CALLERS = 4
LOOK_SECONDS = 0.002
ALONE, BESIDE = "commands", "commands beside a rebuild of all views"
VISIBLE = f"from commit to visible in all views, {COMMANDS_PER_SECOND} commands/s"


def visible(url: str, title: str, seconds: float) -> Table:
    """Return the table of how long it takes until what a command stored can be read."""
    return Table(title, {VISIBLE: partial(_visible, url, seconds)}, VISIBLE)


def slowdown(url: str, title: str, seconds: float) -> Table:
    """Return the table of commands alone and beside a rebuild."""
    governance = ours.opened(url)
    contenders: dict[str, Callable[[], Rate]] = {
        ALONE: partial(rate, ours.commands(governance), callers=CALLERS, seconds=seconds),
        BESIDE: partial(_beside, url, governance, seconds),
    }
    return Table(title, contenders, ALONE, governance.close)


def _beside(url: str, governance: Governance, seconds: float) -> Rate:
    with running("busy", url):
        sleep(0.5)
        return rate(ours.commands(governance), callers=CALLERS, seconds=seconds)


def _visible(url: str, seconds: float) -> Rate:
    committed: list[tuple[int, float]] = []
    seen: list[tuple[int, float]] = []
    done = Event()
    with running("run", url), ours.opened(url) as governance, Views.open(url) as views:
        looking = Thread(target=_look, args=(views, seen, done))
        looking.start()
        _write(governance, committed, seconds)
        views.wait_for(committed[-1][0], timeout=30)
        sleep(0.1)
        done.set()
        looking.join()
    return rate_of(_waits(sorted(committed), seen), seconds)


def _look(views: Views, seen: list[tuple[int, float]], done: Event) -> None:
    while not done.is_set():
        position = views.position()
        if not seen or position > seen[-1][0]:
            seen.append((position, perf_counter()))
        done.wait(LOOK_SECONDS)


def _write(governance: Governance, committed: list[tuple[int, float]], seconds: float) -> None:
    """Give commands at an even pace; one who is late gives the next at once."""
    begun = governance.submit(
        ours.SetLimit(requests_per_second=7),
        state_id="visible",
        actor=ours.GRACE,
        reason="load",
        requires=(approval(role="lead"),),
    )
    began = perf_counter()
    for number in range(int(seconds * COMMANDS_PER_SECOND)):
        sleep(max(0.0, began + number / COMMANDS_PER_SECOND - perf_counter()))
        stored = governance.comment(begun.id, actor=ours.ALAN, text=ours.TEXT)
        committed.append((stored.position or 0, perf_counter()))


def _waits(committed: list[tuple[int, float]], seen: list[tuple[int, float]]) -> list[float]:
    """Return how long after each commit its position was seen for the first time."""
    waits: list[float] = []
    looks = iter(seen)
    reached, at = next(looks)
    for position, when in committed:
        while reached < position:
            reached, at = next(looks)
        waits.append(max(0.0, at - when))
    return waits
