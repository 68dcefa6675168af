"""What the processes of the projection tests do: write, or run views, until they are killed."""

from projections import Projections
from projections import rebuild as rebuilding
from tests.histories import Play
from tests.processes import reach


def write(url: str, seed: int, commands: int) -> int:
    """Play commands and return where the log ends."""
    with Play(url, seed) as play:
        play.commands(commands)
        return play.governance.log.head()


def catch_up(url: str, batch: int) -> None:
    """Catch up again and again, in small batches."""
    with Projections.open(url) as projections:
        reach("open")
        while True:
            projections.catch_up(batch=batch)


def rebuild(url: str) -> None:
    """Rebuild everything, again and again, in pages so small that one is always stored while the next is folded."""
    for name in ("BUILD_EVENTS", "SQLITE_BUILD_EVENTS"):
        setattr(rebuilding, name, 20)
    with Projections.open(url) as projections:
        reach("open")
        while True:
            projections.rebuild()
            for status in projections.status():
                projections.drop(status.view)
