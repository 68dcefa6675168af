"""Servers to measure on: the tests' own kind, on the disk as it is or on one made slower."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.postgres_databases import Databases
from tests.postgres_server import URL_VARIABLE, running_server

SOURCE = Path(__file__).with_name("slow_disk.c")


@contextmanager
def database(slower_ms: float = 0.0) -> Iterator[str]:
    """Return the URL of an empty database; with `slower_ms` on a server of its own whose disk writes take longer."""
    with slower_disk(slower_ms) if slower_ms else running_server() as server:
        databases = Databases(server)
        try:
            with databases.database() as url:
                yield url
        finally:
            databases.close()


@contextmanager
def slower_disk(milliseconds: float) -> Iterator[str]:
    """Return the URL of a server whose every fsync takes that much longer; needs a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        msg = "--slow-disk needs a C compiler (cc): it makes the server's fsync slower by a small preloaded library"
        raise FileNotFoundError(msg)
    with tempfile.TemporaryDirectory(prefix="governance-bench-") as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        library = Path(folder) / "slow_disk.so"
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
        changed = {"LD_PRELOAD": str(library), "GOVERNANCE_BENCH_SYNC_MS": str(milliseconds)}
        before = {name: os.environ.pop(name, None) for name in (*changed, URL_VARIABLE)}
        os.environ.update(changed)
        with ExitStack() as stack:
            try:
                url = stack.enter_context(running_server())
            finally:
                _restore(before)
            yield url


def _restore(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def sync_ms() -> float:
    """Return how many milliseconds a write of one page and its fdatasync take here: the median of 200."""
    took: list[float] = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(200):
            began = perf_counter()
            os.pwrite(file.fileno(), b"x" * 8192, 0)
            os.fdatasync(file.fileno())
            took.append(perf_counter() - began)
    return median(took) * 1000
