"""What processes do that are killed while they execute batches; each is a fork of one that never opened the store."""

import time
from collections.abc import Callable
from random import Random
from typing import Any

from pydantic import JsonValue

from governance import Governance, GovernanceError, approval
from tests.cases import GRACE, WORKER, Add, lead
from tests.torture.programs import killed

ITEMS = 50
CHAIN = 20
Tell = Callable[[str], None]


def together(gov: Governance, name: str, tell: Tell) -> None:
    """Submit, approve and execute an atomic batch, and tell each answer."""
    asked: dict[str, Any] = {"mutation": Add(amount=1), "requires": (approval(role="lead"),)}
    items = [{**asked, "state_id": f"{name}-{number}"} for number in range(ITEMS)]
    batch = gov.submit_batch(items, atomic=True, actor=GRACE, reason=name)
    tell(f"submitted {batch.id}")
    gov.approve_batch(batch.id, actor=lead("alan"))
    tell("approved")
    gov.execute_batch(batch.id, actor=WORKER)
    tell("executed")


def kill_together(url: str, random_kills: int) -> list[dict[str, JsonValue]]:
    """Kill a batch before and after each of its three appends, and some more at random; return what each told."""
    began = time.monotonic()
    trials = [_together(url, "whole", None, None)]
    seconds = (time.monotonic() - began) * 1.1
    trials += [_together(url, f"point-{point}", point, None) for point in range(6)]
    random = Random(7)
    trials += [_together(url, f"time-{each}", None, random.random() * seconds) for each in range(random_kills)]
    return trials


def _together(url: str, name: str, point: int | None, after: float | None) -> dict[str, JsonValue]:
    return {"name": name, "told": killed(url, lambda gov, tell: together(gov, name, tell), point, after)}


def kill_chain(url: str, batch_id: str, random_kills: int) -> int:
    """Execute a batch that fails, by processes each of which is killed at its next step; return how many it took.

    In turn: right after an append was stored, right before the next one is, and, so many times, at any moment.
    """
    random = Random(11)
    killed(url, lambda gov, _: None, None, None)  # what a first one has to load, the others have then
    for number in range(1_000):
        anywhere = number % 4 == 3 and number // 4 < random_kills
        point = None if anywhere else 1 + number % 2
        after = random.random() * 0.1 if anywhere else None
        if killed(url, lambda gov, tell: _go_on(gov, batch_id, tell), point, after):
            return number
    raise AssertionError(batch_id)


def _go_on(gov: Governance, batch_id: str, tell: Tell) -> None:
    try:
        tell(gov.execute_batch(batch_id, actor=WORKER).batch.status)
    except GovernanceError as error:
        tell(type(error).__name__)
