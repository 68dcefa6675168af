"""Workers that are killed, stopped and overtaken: no effect is lost, and a receiver that knows keys sees each once."""

import os
import signal
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from governance import Governance, Status, schedule
from tests.effect_cases import GRACE, Write, executed, opened, told
from tests.processes import Process, processes, race

SEEDS = range(int(os.environ.get("GOVERNANCE_TORTURE_SEEDS", "1")))
CONVERGED_SECONDS = float(os.environ.get("GOVERNANCE_CONVERGED_SECONDS", "60"))
"""How long after a restart everything may take; 5 on a machine that does nothing else."""


@pytest.fixture
def arrivals(tmp_path: Path) -> Path:
    file = tmp_path / "arrivals"
    file.touch()
    return file


def ordered(gov: Governance, states: int = 4, each: int = 6) -> list[str]:
    """Return the ids of executed requests, some for each state, with two effects each."""
    return [executed(gov, f"s{number % states}", letters=2) for number in range(states * each)]


def eventually(condition: Callable[[], bool], seconds: float = CONVERGED_SECONDS) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.02)


def all_delivered(gov: Governance) -> bool:
    return not gov.outstanding_effects(limit=1)


def check_arrivals(gov: Governance, requests: list[str], arrivals: Path) -> None:
    """Check that every effect arrived, that first arrivals of each state are in order, and that each is told once."""
    firsts = list(dict.fromkeys((state, int(version), key) for _, state, version, key in arrived(arrivals)))
    assert {key for _, _, key in firsts} == {f"{request}:{number}" for request in requests for number in (0, 1)}
    by_state: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for state, version, key in firsts:
        by_state[state].append((version, key.rpartition(":")[2]))
    assert all(each == sorted(each) for each in by_state.values())
    assert all(told(gov, request) == ["EffectDelivered"] * 2 for request in requests)


@pytest.mark.parametrize("seed", SEEDS)
def test_worker_killed_after_every_step_loses_nothing(store_url: str, arrivals: Path, seed: int) -> None:
    with opened(store_url) as gov:
        requests = ordered(gov)
    [ending] = race(
        "tests.torture.worker_programs:killed", [{"url": store_url, "arrivals": str(arrivals), "seed": seed}], 240
    )
    assert ending.error is None, ending.traceback
    fates: Any = ending.returned
    assert sum(fate.endswith(": 9") for fate in fates) >= len(fates) - 1, fates
    work: dict[str, Any] = {"url": store_url, "arrivals": str(arrivals)}
    with processes("tests.torture.worker_programs:work", [work]) as [survivor], opened(store_url) as gov:
        begin(survivor)
        eventually(lambda: all_delivered(gov))
        finish(survivor)
        check_arrivals(gov, requests, arrivals)


@pytest.mark.parametrize("seed", SEEDS)
def test_worker_killed_between_release_execution_and_delivery_converges(
    store_url: str, arrivals: Path, seed: int
) -> None:
    with opened(store_url) as gov:
        requests = [asked_for(gov, f"s{number % 4}") for number in range(24)]
    given: dict[str, Any] = {"url": store_url, "arrivals": str(arrivals), "seed": seed, "everything": True}
    [ending] = race("tests.torture.worker_programs:killed", [given], 240)
    assert ending.error is None, ending.traceback
    fates: Any = ending.returned
    assert sum(fate.endswith(": 9") for fate in fates) >= len(fates) // 2, fates
    work: dict[str, Any] = {"url": store_url, "arrivals": str(arrivals)}
    with processes("tests.torture.worker_programs:work", [work]) as [survivor], opened(store_url) as gov:
        begin(survivor)
        eventually(lambda: all(gov.request(each).status is Status.EXECUTED for each in requests))
        eventually(lambda: all_delivered(gov))
        finish(survivor)
        check_arrivals(gov, requests, arrivals)
        for each in requests:
            kinds = [type(recorded.event).__name__ for recorded in gov.history(each)]
            assert (kinds.count("ScheduleReached"), kinds.count("Executed")) == (1, 1)
        assert all(gov.state(f"s{number}").version == 6 for number in range(4))


def asked_for(gov: Governance, state_id: str) -> str:
    """Return the id of a request that a worker has to release and to execute."""
    due = gov._clock() + timedelta(seconds=1)
    write = Write(letters=2)
    return gov.submit(write, state_id=state_id, actor=GRACE, reason="r", requires=[schedule(not_before=due)]).id


def test_three_workers_share_the_work_and_do_nothing_twice(store_url: str, arrivals: Path) -> None:
    with opened(store_url) as gov:
        requests = ordered(gov, states=12)
    work: dict[str, Any] = {"url": store_url, "arrivals": str(arrivals), "pause": 0.01, "lease": 10.0}
    with processes("tests.torture.worker_programs:work", [work] * 3) as workers, opened(store_url) as gov:
        for each in workers:
            begin(each)
        eventually(lambda: all_delivered(gov))
        for each in workers:
            finish(each)
        check_arrivals(gov, requests, arrivals)
        assert len(arrived(arrivals)) == 2 * len(requests), "nothing was done twice"
        assert len({line[0] for line in arrived(arrivals)}) == 3, "each did some of it"


def test_stalled_worker_is_replaced_and_fenced_when_it_comes_back(store_url: str, arrivals: Path) -> None:
    work: dict[str, Any] = {"url": store_url, "arrivals": str(arrivals), "lease": 0.5}
    slow = {**work, "pause": 0.2}
    with processes("tests.torture.worker_programs:work", [slow, work]) as [stalled, other], opened(store_url) as gov:
        begin(stalled)
        requests = ordered(gov)
        eventually(lambda: len(arrived(arrivals)) > 2)
        with nobody_writes(store_url):
            stalled.signal(signal.SIGSTOP)
            time.sleep(0.2)  # a thread that runs on another core is stopped a little later
        begin(other)
        eventually(lambda: all_delivered(gov))
        stalled.signal(signal.SIGCONT)
        finish(other)
        finish(stalled)
        check_arrivals(gov, requests, arrivals)


def test_worker_told_to_stop_finishes_what_it_has_begun(store_url: str, arrivals: Path) -> None:
    work: dict[str, Any] = {"url": store_url, "arrivals": str(arrivals), "pause": 0.1}
    with processes("tests.torture.worker_programs:work", [work]) as [worker], opened(store_url) as gov:
        begin(worker)
        requests = ordered(gov, states=8)
        eventually(lambda: bool(arrived(arrivals)))
        finish(worker)
        keys = [line[3] for line in arrived(arrivals)]
        assert 0 < len(keys) < 2 * len(requests)
        outstanding = {each.effect_id for each in gov.outstanding_effects()}
        assert outstanding.isdisjoint(keys), "what was begun was finished and told"


@contextmanager
def nobody_writes(url: str) -> Iterator[None]:
    """Hold SQLite's one lock for writing: whoever is stopped while holding it holds everybody up."""
    if not url.startswith("sqlite"):
        yield
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30, isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        yield
        file.execute("ROLLBACK")


def begin(worker: Process) -> None:
    """Let a worker begin and go on working."""
    worker.start()
    worker.wait_until("working")
    worker.start()


def finish(worker: Process) -> None:
    """Tell a worker to stop and see that it ends in good order."""
    worker.signal(signal.SIGTERM)
    ending = worker.ending(30)
    assert ending.error is None, ending.traceback
    assert ending.returned is True


def arrived(arrivals: Path) -> list[list[str]]:
    """Return what arrived so far: by which process, for which state and version, and the key."""
    return [line.split(" ") for line in arrivals.read_text("utf-8").splitlines()]
