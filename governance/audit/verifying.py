"""Verifying a log: every row hashed again and compared with tree and checkpoints, then every stream for its meaning."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from governance.audit.comparing import BEFORE_ALL, Compared, Comparison
from governance.audit.hashing import Hashed, hashed_pages
from governance.audit.judging import Anchor, Judged, of_numbers
from governance.audit.keeping import KeptTree
from governance.audit.levels import Levels
from governance.audit.meaning import Meaning
from governance.audit.problems import Problem, Problems
from governance.audit.tree import TILE, Frontier
from governance.audit.workers import Workers
from governance.event_store.audit_rows import AuditRows
from governance.event_store.tree_tables import TreeTables

SAVE_SECONDS: Final = 2.0
_CHANGED: Final = frozenset({"row", "checkpoint", "sequence"})


@dataclass
class Progress:
    """How far a verification is; can be stored and taken up again on the same log with the same checkpoints."""

    upto: int
    anchors: tuple[str, ...]
    begun_at: int = 0
    compared: Compared = field(default_factory=Compared)
    problems: Problems = field(default_factory=Problems)
    hashed: bool = False
    stream: str | None = None
    meant: int = 0

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        plain = {name: getattr(self, name) for name in ("upto", "begun_at", "hashed", "stream", "meant")}
        documents = {"compared": self.compared.document(), "problems": self.problems.document()}
        return {**plain, "anchors": list(self.anchors), **documents}

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Progress":
        """Return what `document` has written."""
        compared, problems = Compared.read(document["compared"]), Problems.read(document["problems"])
        anchors = tuple(document["anchors"])
        return cls(**{**document, "anchors": anchors, "compared": compared, "problems": problems})


@dataclass(frozen=True)
class Watch:
    """Who wants to know how it goes: `tell(stage, done, of)`, and `save(progress)` now and then."""

    tell: Callable[[str, int, int], None] = lambda stage, done, of: None
    save: Callable[[Progress], None] = lambda progress: None


@dataclass(frozen=True)
class Report:
    """What a verification found."""

    events: int
    position: int
    root: str
    begun_at: int
    proven_size: int
    proven_position: int | None
    holding: tuple[str, ...]
    kept_tree: bool
    meant: int | None
    problem_count: int
    problems: tuple[Problem, ...]
    not_proven: tuple[str, ...]

    @property
    def first_bad_position(self) -> int | None:
        """Return the lowest position that is not as it was; if all are, the lowest of an event that makes no sense.

        An event that was changed lets others look wrong that speak of it: those are as they were.
        """
        placed = [each for each in self.problems if each.position is not None]
        changed = [each for each in placed if each.kind in _CHANGED]
        return next((each.position for each in changed or placed), None)

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        found = [asdict(each) for each in self.problems]
        return {**asdict(self), "problems": found, "first_bad_position": self.first_bad_position}


class Verification:
    """Verifies one log. Reads only; needs no tables of its own, and compares with the kept tree where there is one."""

    def __init__(
        self, rows: AuditRows, tables: TreeTables, anchors: Sequence[Anchor], workers: Workers | None = None
    ) -> None:
        self._rows = rows
        self._tables = tables
        self._anchors = tuple(anchors)
        self._workers = workers
        self._saved_at = 0.0

    def begin(self, after: Anchor | None = None) -> Progress:
        """Return where to begin: with the first event or, trusting what a checkpoint covers, behind that."""
        numbers = self._rows.numbers()
        progress = Progress(upto=numbers.settled, anchors=tuple(each.name for each in self._anchors))
        if after is not None:
            self._skip(progress, after)
        for problem in of_numbers(numbers, self._known()):
            progress.problems.add(problem)
        return progress

    def run(self, progress: Progress, watch: Watch, *, meaning: bool = True) -> Report:
        """Do what is left and return the report."""
        if not progress.hashed:
            self._hash(progress, watch)
            progress.hashed = True
            watch.save(progress)
        if meaning:
            self._mean(progress, watch)
        return self._report(progress, meaning=meaning)

    def _skip(self, progress: Progress, after: Anchor) -> None:
        tree = KeptTree(self._rows, self._tables)
        size = min(after.size, tree.head().size) // TILE * TILE
        if size == 0:
            return
        frontier = Frontier.of(tree.node, size)
        position = tree.position_of(size - 1)
        progress.begun_at = size
        progress.compared = Compared(
            position=position, actual=frontier, stored=frontier.copy(), stored_position=position
        )

    def _hash(self, progress: Progress, watch: Watch) -> None:
        compared, upto = progress.compared, progress.upto
        sizes = [each.size for each in self._anchors]
        comparison = Comparison(self._source(compared.position, upto), sizes, compared, progress.problems)
        if self._tables.exist():
            self._hash_tiles(comparison, progress, watch)
        for position in comparison.rest():
            watch.tell("rows", position, upto)
        for problem in Judged(compared, self._anchors).problems():
            progress.problems.add(problem)

    def _source(self, after: int, upto: int) -> Iterator[Hashed]:
        if self._workers is not None and upto - max(after, 0) >= self._workers.hash_from:
            return self._workers.hashed(after, upto)
        return hashed_pages(self._rows, after, upto)

    def _hash_tiles(self, comparison: Comparison, progress: Progress, watch: Watch) -> None:
        compared = progress.compared
        levels = Levels(self._tables) if compared.position == BEFORE_ALL else None
        for tile in self._tables.leaf_tiles(compared.stored.size // TILE):
            if tile.number * TILE < compared.stored.size:
                break  # taken up again behind a last tile that is not full
            comparison.tile(tile)
            for problem in levels.add(tile) if levels else ():
                progress.problems.add(problem)
            watch.tell("rows", max(0, compared.position), progress.upto)
            self._save(progress, watch)
        for problem in (*(levels.end() if levels else ()), *self._wrong_head(compared)):
            progress.problems.add(problem)

    def _wrong_head(self, compared: Compared) -> list[Problem]:
        head = self._tables.head()
        if compared.tree_broken or tuple(head) == (compared.stored.size, compared.stored_position):
            return []
        told = f"the kept tree says to have {head.size:,} leaves and has {compared.stored.size:,}"
        return [Problem(None, "tree", told)]

    def _mean(self, progress: Progress, watch: Watch) -> None:
        if self._workers is not None:
            self._mean_in_parallel(self._workers, progress, watch)
            return
        meaning = Meaning(self._rows, progress.problems)
        for stream, count in meaning.check(self._rows.by_stream(progress.upto, after=progress.stream)):
            progress.meant += count
            watch.tell("streams", progress.meant, progress.compared.actual.size)
            if meaning.settled:
                progress.stream = stream.decode("utf-8", "surrogateescape")
                self._save(progress, watch)

    def _mean_in_parallel(self, workers: Workers, progress: Progress, watch: Watch) -> None:
        ranges = self._rows.ranges(workers.events, progress.stream)
        for done in workers.checked(progress.upto, ranges):
            progress.meant += done.events
            for problem in done.problems.in_order():
                progress.problems.add(problem)
            progress.problems.count += done.problems.count - len(done.problems.kept)
            watch.tell("streams", progress.meant, progress.compared.actual.size)
            if done.last is not None:
                progress.stream = done.last
                self._save(progress, watch)

    def _save(self, progress: Progress, watch: Watch) -> None:
        if time.monotonic() - self._saved_at > SAVE_SECONDS:
            watch.save(progress)
            self._saved_at = time.monotonic()

    def _known(self) -> int:
        """Return the highest position that checkpoints or the kept tree have seen."""
        kept = self._tables.head().position if self._tables.exist() else 0
        return max([kept, *(each.checkpoint.position or 0 for each in self._anchors)])

    def _report(self, progress: Progress, *, meaning: bool) -> Report:
        compared = progress.compared
        holding = Judged(compared, self._anchors).holding
        last = holding[-1] if holding else None
        kept = self._tables.exist() and not compared.tree_broken
        return Report(
            events=compared.actual.size,
            position=max(0, compared.position),
            root=compared.actual.root().hex(),
            begun_at=progress.begun_at,
            proven_size=last.size if last else 0,
            proven_position=compared.last_positions.get(last.size) if last else None,
            holding=tuple(each.name for each in holding),
            kept_tree=kept,
            meant=progress.meant if meaning else None,
            problem_count=progress.problems.count,
            problems=tuple(progress.problems.in_order()),
            not_proven=tuple(_not_proven(progress, last, meaning=meaning)),
        )


def _not_proven(progress: Progress, last: Anchor | None, *, meaning: bool) -> list[str]:
    size = progress.compared.actual.size
    told = []
    if last is None:
        told.append(f"none of the {size:,} events: no checkpoint that holds was given, so all of them could be forged")
    else:
        if size > last.size:
            told.append(f"the last {size - last.size:,} events, which came after checkpoint {last.name}")
        told.append("against who holds the signing key: they can sign another history, which only witnesses would show")
    if progress.begun_at:
        told.append(f"that the first {progress.begun_at:,} events are stored as they were: their rows were not read")
    if not meaning:
        told.append("that the events make sense: streams, transitions, links and digests were not looked at")
    told.append("that what was recorded is true: only that it was recorded so, and when the signer says")
    return told
