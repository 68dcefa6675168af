"""The contenders by name: the same work whether threads of this process do it or several processes at once."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from governance.event_store.connect import open_recorder
from scripts.benchmarks import ours, peer
from scripts.benchmarks.limits import RawPostgres
from scripts.benchmarks.measure import Work

RAW = "raw driver, one insert"
PLAIN = "plain library, command"
PLAIN_CYCLE = "plain library, life cycle"
RECORDER = "ours, recorder alone"
CONFLICTS = "ours, recorder alone, 5 % conflicts"
COMMAND = "ours, command"
CYCLE = "ours, life cycle"
DIRECT = "ours, direct mutation"


@contextmanager
def working(name: str, url: str) -> Iterator[Work]:
    """Return the work of a contender on the store at the URL for as long as the context lasts."""
    if name == RAW:
        with closing(RawPostgres(url)) as raw:
            yield raw.insert
    elif name in PLAINS:
        with peer.PlainApplication(environment(url)) as application:
            yield PLAINS[name](application)
    elif name in (RECORDER, CONFLICTS):
        with closing(open_recorder(url)) as recorder:
            yield ours.appends(recorder, conflicts=name == CONFLICTS)
    else:
        with ours.opened(url) as governance:
            yield OURS[name](governance)


PLAINS: dict[str, Callable[[peer.PlainApplication], Work]] = {PLAIN: peer.commands, PLAIN_CYCLE: peer.life_cycles}
OURS = {COMMAND: ours.commands, CYCLE: ours.life_cycles, DIRECT: ours.direct}


def environment(url: str) -> dict[str, str]:
    """Return how the library is told to use the database at the URL."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = Path(url.removeprefix("sqlite:///"))
        return {
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SQLITE_DBNAME": str(path.with_name(f"plain-{path.name}")),
            "SQLITE_LOCK_TIMEOUT": "10",
        }
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path.lstrip("/"),
        "POSTGRES_HOST": str(parts.hostname),
        "POSTGRES_PORT": str(parts.port),
        "POSTGRES_USER": str(parts.username),
        "POSTGRES_PASSWORD": parts.password or "",
        "POSTGRES_POOL_SIZE": "17",
    }
