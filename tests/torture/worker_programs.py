"""What the processes of the worker's torture tests do: work until killed, at a named step or at any moment."""

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from governance import EffectHandler, effect_handler
from governance.engines.performing import PlanningAgendaEngine
from governance.event_store.log import EventLog
from governance.event_store.postgres_agenda import PostgresAgenda
from governance.event_store.postgres_outbox import PostgresOutbox
from governance.event_store.sqlite_agenda import SqliteAgenda
from governance.event_store.sqlite_outbox import SqliteOutbox
from governance.worker import Worker, WorkerLimits
from tests.effect_cases import Letter, opened
from tests.processes import reach

STEPS = ("claimed", "held", "before handler", "after handler", "recorded", "taken in")
"""The steps of a delivery, in order; a worker can be killed right after each."""
ALL_STEPS = ("agenda claimed", "agenda taken in", "planned", "about to record", *STEPS)
"""The steps of a release, an execution and a delivery."""


def mailbox(arrivals: str, at: Callable[[str], None] = lambda _: None, pause: float = 0.0) -> EffectHandler:
    """Return a handler that writes each key that arrives into a file, as a receiver would into its own database."""

    def take(_: Letter, delivery: Any) -> None:
        at("before handler")
        time.sleep(pause)
        with Path(arrivals).open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()} {delivery.state_id} {delivery.state_version} {delivery.key}\n")
        at("after handler")

    return effect_handler(Letter, name="mailbox")(take)


def work(url: str, arrivals: str, pause: float = 0.0, lease: float = 1.0) -> bool:
    """Be a worker until SIGTERM; return whether all that was begun was finished."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with opened(url, mailbox(arrivals, pause=pause), effect_lease_seconds=lease) as gov:
        worker = Worker(gov, engines=gov.engines, limits=WorkerLimits(poll_seconds=0.1))
        worker.start()
        reach("working")
        stop.wait()
        return worker.drain()


def killed(url: str, arrivals: str, seed: int, everything: bool = False) -> list[str]:
    """Let workers live one after the other and kill each: after each named step, then at any moment."""
    fates: list[str] = []
    chance = random.Random(seed)
    for step in ALL_STEPS if everything else STEPS:
        number = 1 if step.startswith("agenda") else chance.randint(1, 3)  # all there is may be claimed at once
        fates.append(_live(url, arrivals, step, number, None))
    for _ in range(3):
        fates.append(_live(url, arrivals, None, 0, chance.uniform(0.02, 0.3)))
    return fates


def _live(url: str, arrivals: str, step: str | None, number: int, seconds: float | None) -> str:
    child = os.fork()
    if child == 0:
        try:
            _be_killed(url, arrivals, step, number)
        finally:
            os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return f"{step}: {os.WTERMSIG(status) if os.WIFSIGNALED(status) else 'ended'}"


def _be_killed(url: str, arrivals: str, step: str | None, number: int) -> None:
    left = {step: number}

    def at(reached: str) -> None:
        if reached in left:
            left[reached] -= 1
            if left[reached] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    _watch(at)
    with opened(url, mailbox(arrivals, at), effect_lease_seconds=0.3) as gov:
        worker = Worker(gov, engines=gov.engines, limits=WorkerLimits(poll_seconds=0.05))
        worker.start()
        time.sleep(8)


def _watch(at: Callable[[str], None]) -> None:
    """Have it told when any of the steps is reached."""
    for kind in (SqliteOutbox, PostgresOutbox):
        for name, after in (("claim", "claimed"), ("hold", "held"), ("take_in", "taken in")):
            setattr(kind, name, _telling(getattr(kind, name), partial(at, after)))
    for agenda in (SqliteAgenda, PostgresAgenda):
        for name, after in (("claim", "agenda claimed"), ("take_in", "agenda taken in")):
            setattr(agenda, name, _telling(getattr(agenda, name), partial(at, after)))
    planning = PlanningAgendaEngine
    planning.plan = _telling(planning.plan, partial(at, "planned"))  # type: ignore[method-assign]
    for name in ("append", "append_each"):
        recording = _telling(_told(getattr(EventLog, name), partial(at, "about to record")), partial(at, "recorded"))
        setattr(EventLog, name, recording)


def _told(call: Callable[..., Any], before: Callable[[], None]) -> Callable[..., Any]:
    def told(*arguments: Any, **named: Any) -> Any:
        before()
        return call(*arguments, **named)

    return told


def _telling(call: Callable[..., Any], then: Callable[[], None]) -> Callable[..., Any]:
    def telling(*arguments: Any, **named: Any) -> Any:
        answer = call(*arguments, **named)
        if answer:
            then()
        return answer

    return telling
