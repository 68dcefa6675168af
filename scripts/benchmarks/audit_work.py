"""Work of an auditor in a process of its own: `python -m scripts.benchmarks.audit_work WHAT URL [PROCESSES]`.

Prints as JSON how many events a second it went through, and the most memory that it had itself.
"""

import json
import random
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from time import perf_counter, process_time

from msgspec.json import Decoder

from governance.audit.keeping import KeptTree
from governance.audit.proofs import Leaf, event_hash, event_hashes, inclusion_holds
from governance.audit.replay import Range
from governance.audit.verifying import Verification, Watch
from governance.audit.workers import Workers
from governance.domain.evolution import replay
from governance.domain.recorded import Recorded
from governance.domain.state_evolution import state_version
from governance.event_store.audit_connection import AuditConnection
from governance.event_store.audit_decoding import decoded
from governance.event_store.audit_rows import AuditRows
from governance.event_store.tree_tables import TreeTables
from governance.streams import REQUEST, STATE, category
from scripts.benchmarks.measure import Rate, rate_of

SCHEMA = "governance"
SAMPLE = 20_000
PROOFS = 300


def measured(what: str, url: str, processes: int = 1) -> Rate:
    """Return what the work came to."""
    words = [sys.executable, "-m", "scripts.benchmarks.audit_work", what, url, str(processes)]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    return Rate(**json.loads(done.stdout))


def rows(connection: AuditConnection, url: str, processes: int) -> int:
    """Read every row by position."""
    found = AuditRows(connection)
    return sum(len(page) for page in found.pages(0, found.numbers().settled))


def streams(connection: AuditConnection, url: str, processes: int) -> int:
    """Read every row stream by stream."""
    found = AuditRows(connection)
    return sum(1 for _ in found.by_stream(found.numbers().settled))


def fold(connection: AuditConnection, url: str, processes: int) -> int:
    """Rebuild every request and every state from its events."""
    workers = Workers(url, SCHEMA, processes)
    return sum(workers.each(fold_range, AuditRows(connection).ranges(workers.events)))


def fold_range(url: str, schema: str, streams: Range) -> int:
    """Rebuild what is in one range of streams, and return how many events that took."""
    events = 0
    with AuditConnection(url, schema=schema) as connection:
        rows = AuditRows(connection)
        stored = rows.by_stream(rows.numbers().settled, after=streams[0], last=streams[1])
        for _, found in groupby(stored, key=lambda row: row[1]):
            history = [decoded(row) for row in found]
            kind = category(history[0].stream)
            if kind == REQUEST:
                replay(history)
            elif kind == STATE:
                state_version(history[-1])
            events += len(history)
    return events


def hashes(connection: AuditConnection, url: str, processes: int) -> int:
    """Hash every row again, and compare with the kept tree."""
    return _verified(connection, url, processes, meaning=False)


def verify(connection: AuditConnection, url: str, processes: int) -> int:
    """Do all that `gov audit verify` does."""
    return _verified(connection, url, processes, meaning=True)


def _verified(connection: AuditConnection, url: str, processes: int, *, meaning: bool) -> int:
    workers = Workers(url, SCHEMA, processes) if processes > 1 else None
    verification = Verification(AuditRows(connection), TreeTables(connection), (), workers)
    report = verification.run(verification.begin(), Watch(), meaning=meaning)
    if report.problem_count:
        raise RuntimeError(report.problems[0].message)
    return report.events


EVERY: Mapping[str, Callable[[AuditConnection, str, int], int]] = {
    "rows": rows,
    "streams": streams,
    "fold": fold,
    "hashes": hashes,
    "verify": verify,
}


def prove(connection: AuditConnection) -> Rate:
    """Prove random events from a cold start of each: nothing of the tree is kept between two proofs."""
    found, tables = AuditRows(connection), TreeTables(connection)
    size = KeptTree(found, tables).head().size
    root = KeptTree(found, tables).root(size)
    chance, waits = random.Random(7), list[float]()  # noqa: S311 - the same events in every round
    for _ in range(PROOFS):
        tree, index = KeptTree(found, tables), chance.randrange(size)
        began = perf_counter()
        position = tree.position_of(index)
        (row,) = found.page(position - 1, position, 1)
        leaf = tree.index_of(position)
        path = tree.inclusion(leaf, size)
        waits.append(perf_counter() - began)
        if leaf != index or not inclusion_holds(event_hash(Leaf(*row)), leaf, size, path, root):
            msg = f"the event at position {position} is not proven"
            raise RuntimeError(msg)
    return rate_of(waits, sum(waits))


def limit(what: str, connection: AuditConnection) -> Rate:
    """Do one part of the work over and over on rows that are in memory: the most that one core could do of it."""
    found = AuditRows(connection)
    some = found.page(0, found.numbers().settled, SAMPLE)
    in_streams = sorted((row for row in some if row[1].startswith(b"mutationRequest-")), key=lambda row: row[1:3])
    recorded = [decoded(row) for row in in_streams] if what == "limit fold" else []
    parse = Decoder().decode
    work: Mapping[str, tuple[int, Callable[[], object]]] = {
        "limit sha256": (len(some), lambda: [sha256(row[4]).digest() for row in some]),
        "limit hash": (len(some), lambda: event_hashes(some)),
        "limit json": (len(some), lambda: [parse(row[4]) and None for row in some]),
        "limit decode": (len(some), lambda: [decoded(row) and None for row in some]),
        "limit fold": (len(recorded), lambda: _folded(recorded)),
    }
    count, do = work[what]
    do()
    began, cpu = perf_counter(), process_time()
    do()
    return Rate(count / (perf_counter() - began), cpu_us=(process_time() - cpu) / count * 1e6)


def _folded(recorded: Sequence[Recorded]) -> None:
    for _, history in groupby(recorded, key=lambda each: each.stream):
        replay(history)


def _cpu_seconds() -> float:
    """Return the processor's time of this process and of those that it has started, their beginning included."""
    used = [resource.getrusage(each) for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _peak_mb() -> float | None:
    """Return the most memory that this very process had, where the system says so."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else None


def main() -> None:
    """Do the work and print how fast it was."""
    what, url, processes = sys.argv[1:]
    with AuditConnection(url) as connection:
        if what in EVERY:
            began = perf_counter()
            events = EVERY[what](connection, url, int(processes))
            seconds = perf_counter() - began
            found = Rate(events / seconds, cpu_us=_cpu_seconds() / events * 1e6)
        else:
            found = prove(connection) if what == "prove" else limit(what, connection)
    print(json.dumps({**asdict(found), "peak_mb": _peak_mb()}))


if __name__ == "__main__":
    main()
