"""`audit`: replays, verifications and proofs beside reading the raw rows, and what writers notice of checkpoints."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from governance.audit.keeping import KeptTree
from governance.event_store.audit_connection import AuditConnection
from governance.event_store.audit_rows import AuditRows
from governance.event_store.tree_tables import TreeTables
from scripts.benchmarks import ours, projections_fill
from scripts.benchmarks.audit_work import measured
from scripts.benchmarks.measure import Rate, Table, rate

CORES = os.cpu_count() or 1
RAW, RAW_STREAMS = "raw rows by position", "raw rows stream by stream"
FOLD, FOLD_ALL = "ours, replay, 1 process", "ours, replay, a process for each core"
HASH, HASH_ALL = "ours, verify hashes and tree, 1 process", "ours, verify hashes and tree, a process for each core"
VERIFY_ALL = "ours, verify hashes, tree and meaning, a process for each core"
ALONE, CHECKPOINTED = "ours, life cycles", "ours, life cycles, a checkpoint every second"
REPLAY_TITLE, VERIFY_TITLE = "audit, replay, events a second", "audit, verify, events a second"
WRITERS = "audit, writers"
BY_SIZE = {
    "audit, proofs of one event by size of the log": "prove",
    "audit, verify hashes and tree by size of the log": "hashes",
    "audit, replay by size of the log": "fold",
}
LIMITS = "audit, what one core can do at most, events a second"
_PARTS = {
    "sha256 over the stored bytes": "limit sha256",
    "hash of the full row": "limit hash",
    "parse the JSON and nothing else (msgspec)": "limit json",
    "parse and validate: an event as production reads it": "limit decode",
    "fold events that are decoded already": "limit fold",
}


def tables(url: str, folder: Path, seconds: float, sizes: Sequence[int], say: Callable[[str], None]) -> Iterator[Table]:
    """Yield the tables: what takes long per event on the smallest store, and hashes on the largest."""
    files = {size: f"sqlite:///{folder / f'audit-{size}.db'}" for size in sorted(sizes)}
    servers = {size: f"{url}?schema=audit_{size}" for size in sorted({min(sizes), max(sizes)})}
    for size, store in (*servers.items(), *files.items()):
        say(f"filling in {size:,} events, and making their tree …")
        projections_fill.fill(store, size)
        _grow(store)
    small, large = min(sizes), max(sizes)
    for name, stores in (("PostgreSQL", servers), ("SQLite", files)):
        yield _replays(f"{REPLAY_TITLE}, {name}", stores[small])
        yield _verifications(f"{VERIFY_TITLE}, {name}", stores[large])
    yield Table(
        LIMITS, {name: partial(measured, part, files[small]) for name, part in _PARTS.items()}, next(iter(_PARTS))
    )
    for title, what in BY_SIZE.items():
        yield _by_size(title, what, files)
    yield _writers(f"{url}?schema=audit_writers", folder, seconds)


def _grow(store: str) -> None:
    with AuditConnection(store) as connection:
        KeptTree(AuditRows(connection), TreeTables(connection)).catch_up()


def _replays(title: str, store: str) -> Table:
    contenders = {
        RAW_STREAMS: partial(measured, "streams", store),
        FOLD: partial(measured, "fold", store),
        FOLD_ALL: partial(measured, "fold", store, CORES),
        VERIFY_ALL: partial(measured, "verify", store, CORES),
    }
    return Table(title, contenders, RAW_STREAMS)


def _verifications(title: str, store: str) -> Table:
    contenders = {
        RAW: partial(measured, "rows", store),
        HASH: partial(measured, "hashes", store),
        HASH_ALL: partial(measured, "hashes", store, CORES),
    }
    return Table(title, contenders, RAW)


def _by_size(title: str, what: str, files: dict[int, str]) -> Table:
    """Return a table by size of the log, of one process, whose memory is told; the first contender is the smallest."""
    contenders = {f"{size:,} events": partial(measured, what, file) for size, file in files.items()}
    return Table(title, contenders, next(iter(contenders)))


def _writers(store: str, folder: Path, seconds: float) -> Table:
    governance = ours.opened(store)
    work = ours.life_cycles(governance)

    def alone() -> Rate:
        return rate(work, callers=4, seconds=seconds)

    def beside() -> Rate:
        with _checkpointing(store, folder):
            return rate(work, callers=4, seconds=seconds)

    return Table(WRITERS, {ALONE: alone, CHECKPOINTED: beside}, ALONE, governance.close)


@contextmanager
def _checkpointing(store: str, folder: Path) -> Iterator[None]:
    """Have a checkpoint made every second by a process of its own."""
    keys = ["--keys", str(folder / "keys")]
    gov = [sys.executable, "-m", "governance"]
    if not (folder / "keys").exists():
        subprocess.run([*gov, "keys", "generate", "bench.example/log", *keys], check=True, stdout=subprocess.PIPE)
    words = [*gov, "audit", "checkpoint", "--every", "1", "--url", store, *keys]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout is not None:
                process.stdout.readline()
            yield
        finally:
            process.terminate()
