"""What processes do that go over everything that is due, until nothing is; and one that dies on the way."""

import multiprocessing
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import JsonValue

from governance import Governance, Settings
from governance.engines.agenda import Entry
from tests.cases import MUTATIONS
from tests.processes import reach

QUIET_SECONDS = 1.5
SHORT_LEASE_SECONDS = 1.0


def opened(url: str) -> Governance:
    """Return the governance that all these programs use."""
    return Governance.open(url, mutations=MUTATIONS, settings=Settings(budget_seconds=30))


def crowd(url: str, count: int) -> list[JsonValue]:
    """Let so many processes, forked from this one, go over what is due at the same time; return what each did."""
    forking = multiprocessing.get_context("fork")
    together = forking.Barrier(count)
    with forking.Pool(count, initializer=_meet.append, initargs=(together,)) as pool:
        return pool.map(go_over, [url] * count, chunksize=1)


_meet: list[Any] = []


def go_over(url: str) -> list[JsonValue]:
    """Go over what is due until nothing has been for a while; return what was done."""
    done: list[JsonValue] = []
    with opened(url) as gov:
        gov.agenda.catch_up()
        _meet[0].wait(60)
        quiet = time.monotonic()
        while time.monotonic() - quiet < QUIET_SECONDS:
            report = gov.run_due()
            if report.performed:
                quiet = time.monotonic()
            done += [[each.item.engine, each.what] for each in report.performed]
            time.sleep(0.01)
    return done


def die(url: str, point: str, nth: int) -> None:
    """Go over what is due, and stand still for ever at a point, to be killed there; leases are short."""
    with opened(url) as gov:
        claim, left = gov.agenda.due, [nth]

        def due(engine: str, kinds: Sequence[str], now: datetime, limit: int, **_: Any) -> Sequence[Entry]:
            found = claim(engine, kinds, now, min(limit, 2), lease_seconds=SHORT_LEASE_SECONDS)
            if found and engine == {"claimed": "quota", "released": "execution"}.get(point):
                _stand_still(left)
            return found

        gov.agenda.due = due  # type: ignore[method-assign]
        while True:
            report = gov.run_due(limit=2)
            if point == "executed" and report.count("executed"):
                _stand_still(left)


def _stand_still(left: list[int]) -> None:
    if left[0] > 0:
        left[0] -= 1
        return
    reach("about to die")
