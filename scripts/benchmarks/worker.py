"""`worker`: due requests released and executed by worker processes, how late, how quickly found, and idling."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from threading import Thread

import psycopg

from governance import Actor, Governance, schedule
from governance.domain.events import Executed
from governance.engines.agenda import Agenda
from scripts.benchmarks.measure import Rate, Table, rate, rate_of
from scripts.benchmarks.worker_app import Add, app

ONE, TWO = "one worker", "two workers"
RELEASED = "PostgreSQL, due requests released and executed"
LATE = "PostgreSQL, from due to executed, ten requests a second"
FOUND = "PostgreSQL, due work found"
IDLE = "PostgreSQL, idle worker, CPU µs of each second"
NOTHING_ELSE, AMONG_MANY = "nothing else pending", "1,000,000 others pending"
GRACE = Actor(id="grace")
CALLERS = 16
PAGE = 10_000
_FILL = """
INSERT INTO governance.governance_agenda (request_id, item, kind, due_at, position, touched)
SELECT 'bench-' || n, '1.1', 'schedule', 4000000000000000 + n, n, n FROM generate_series(1, %s) n
"""
_DUE = """
INSERT INTO governance.governance_agenda (request_id, item, kind, due_at, position, touched)
SELECT 'bench-due-' || n, '1.1', 'schedule', n, n, n FROM generate_series(1, 100) n
"""
_numbers = count()


def tables(url: str, seconds: float, requests: int = 2_000) -> Iterator[Table]:
    """Yield the tables of the worker."""
    with app.open(url) as gov:
        gov.state("warm")
    yield Table(RELEASED, {ONE: partial(released, url, 1, requests), TWO: partial(released, url, 2, requests)}, ONE)
    yield Table(LATE, {ONE: partial(late, url, max(5.0, seconds * 3))}, ONE)
    yield Table(IDLE, {ONE: partial(idle, url, max(5.0, seconds * 3))}, ONE)
    yield Table(
        FOUND,
        {NOTHING_ELSE: partial(found, url, 0, seconds), AMONG_MANY: partial(found, url, 1_000_000, seconds)},
        NOTHING_ELSE,
    )


@contextmanager
def workers(url: str, number: int) -> Iterator[list[int]]:
    """Give so many worker processes at work, and stop them in good order."""
    command = [sys.executable, "-m", "governance", "worker", "--url", url, "--no-views", "--log", "json"]
    command += ["--app", "scripts.benchmarks.worker_app:app"]
    started = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(number)]
    readers = [Thread(target=_swallow, args=(each,), daemon=True) for each in started]
    try:
        for each in started:
            if each.stderr is not None:
                each.stderr.readline()  # says that it has started
        for reader in readers:
            reader.start()
        yield [each.pid for each in started]
    finally:
        for each in started:
            each.terminate()
        for each in started:
            each.wait(timeout=30)


def _swallow(process: "subprocess.Popen[bytes]") -> None:
    for _ in process.stderr or ():
        continue  # who stopped reading would stop the worker


def submitted(gov: Governance, moments: list[datetime]) -> list[str]:
    """Return the ids of requests of which each is due at its moment, each about a state of its own."""

    def submit(moment: datetime) -> str:
        state = f"counter-{next(_numbers)}-{time.time_ns()}"
        wait = schedule(not_before=moment)
        return gov.submit(Add(), state_id=state, actor=GRACE, reason="bench", requires=[wait]).id

    with ThreadPoolExecutor(CALLERS) as threads:
        return list(threads.map(submit, moments))


def released(url: str, number: int, requests: int) -> Rate:
    """Return the rate at which workers release and execute requests that are all due at one moment."""
    with app.open(url) as gov:
        due_at = datetime.now(UTC) + timedelta(seconds=8 + requests / 400)
        submitted(gov, [due_at] * requests)
        before = gov.log.head()
        with workers(url, number) as processes:
            if datetime.now(UTC) > due_at:
                msg = "submitting took longer than was thought"
                raise TimeoutError(msg)
            used = sum(map(cpu_seconds, processes))
            last = until_executed(gov, before, requests)
            used = sum(map(cpu_seconds, processes)) - used
    return Rate(per_second=requests / (last - due_at).total_seconds(), cpu_us=used / requests * 1e6)


def until_executed(gov: Governance, after: int, requests: int) -> datetime:
    """Return when the last of so many executions was recorded."""
    seen, last = 0, datetime.now(UTC)
    while seen < requests:
        head = gov.log.head()
        page = gov.log.stored(after, PAGE, upto=head, topics=["Executed"])
        seen += len(page)
        after = page[-1].id if len(page) == PAGE else head
        if page:
            last = gov.log.decoded(page[-1]).at
        time.sleep(0.05)
    return last


def late(url: str, seconds: float) -> Rate:
    """Return how long after its moment each of a stream of requests was executed, while nothing else is going on."""
    with app.open(url) as gov, workers(url, 1):
        first = datetime.now(UTC) + timedelta(seconds=3)
        moments = [first + timedelta(seconds=number / 10) for number in range(int(seconds * 10))]
        before = gov.log.head()
        ids = submitted(gov, moments)
        until_executed(gov, before, len(ids))
        waited = [_executed_at(gov, each) - moment for each, moment in zip(ids, moments, strict=True)]
    return rate_of([each.total_seconds() for each in waited], seconds)


def _executed_at(gov: Governance, request: str) -> datetime:
    return next(each.at for each in gov.history(request) if isinstance(each.event, Executed))


def idle(url: str, seconds: float) -> Rate:
    """Return the processor time that a worker takes each second while nothing is due."""
    with workers(url, 1) as [process]:
        time.sleep(3)
        before, began = cpu_seconds(process), time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        return Rate(per_second=1, cpu_us=(cpu_seconds(process) - before) / took * 1e6)


def found(url: str, others: int, seconds: float) -> Rate:
    """Return how quickly the one row that is due is found on the agenda among so many that are not."""
    with app.open(url) as gov, psycopg.connect(url, autocommit=True) as server:
        gov.agenda.catch_up()
        if others:
            server.execute(_FILL, (others,))
            server.execute("VACUUM ANALYZE governance.governance_agenda")
        server.execute(_DUE)
        agenda = Agenda(gov.log)
        try:
            return rate(lambda *_: _find(agenda), callers=1, seconds=seconds)
        finally:
            server.execute("DELETE FROM governance.governance_agenda WHERE request_id LIKE 'bench-%'")


def _find(agenda: Agenda) -> None:
    agenda.due("schedule", ("schedule",), datetime.now(UTC), 100, lease_seconds=0.0)


def cpu_seconds(process: int) -> float:
    """Return the processor time that a process has taken, as Linux tells it."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
