"""Exports: events in files that others can read, and a signed manifest by which they can be checked without a store."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final

from governance.audit.export_rows import COLUMNS, Exported, exported, line, record
from governance.audit.keeping import KeptTree
from governance.audit.keys import replace_file
from governance.audit.masking import Mask
from governance.audit.notes import Checkpoint, Signer
from governance.audit.tree import Frontier
from governance.domain.errors import InputError, NotFoundError, TamperedError
from governance.event_store.audit_rows import AuditRows, Row

FORMAT: Final = "governance-export-1"
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.note"
UNFINISHED: Final = "unfinished.json"
ENDINGS: Final = {"jsonl": "jsonl", "csv": "csv", "cloudevents": "cloudevents.jsonl", "ocsf": "ocsf.jsonl"}


@dataclass(frozen=True)
class Order:
    """What to export, and how."""

    form: str = "jsonl"
    after: int = 0
    upto: int | None = None
    events_per_file: int = 100_000
    mask: Mask = field(default_factory=Mask)


class Export:
    """One export into a directory; begun again in the same directory with the same order, it goes on."""

    def __init__(self, rows: AuditRows, tree: KeptTree, directory: Path, order: Order) -> None:
        self._rows = rows
        self._tree = tree
        self._directory = directory
        self._order = order

    def run(self, signer: Signer, now: datetime, tell: Callable[[int, int], None]) -> dict[str, Any]:
        """Write what is left and return the manifest. TamperedError when the rows do not make the kept tree."""
        begun = self._begin()
        files: list[dict[str, Any]] = begun["files"]
        frontier = self._frontier(begun["first"] + sum(each["events"] for each in files))
        after = files[-1]["last"] if files else self._order.after
        for told in self._write(after, begun["last"], len(files), frontier):
            files.append(told)
            replace_file(self._directory / UNFINISHED, json.dumps(begun))
            tell(told["last"], begun["last"])
        if frontier.size != begun["size"] or frontier.root() != self._tree.root(begun["size"]):
            msg = "the rows do not make the tree that is kept: gov audit verify says more"
            raise TamperedError(msg)
        manifest = self._manifest(begun, frontier)
        self._sign(manifest, signer, now, begun)
        return manifest

    def _begin(self) -> dict[str, Any]:
        self._directory.mkdir(parents=True, exist_ok=True)
        if (self._directory / MANIFEST).exists():
            msg = f"to: {self._directory} holds an export already"
            raise InputError(msg, field="to")
        order = {"form": self._order.form, "mask": list(self._order.mask.rules), "after": self._order.after,
                 "upto": self._order.upto, "events_per_file": self._order.events_per_file}  # fmt: skip
        unfinished = self._directory / UNFINISHED
        if unfinished.exists():
            begun: dict[str, Any] = json.loads(unfinished.read_text(encoding="utf-8"))
            if begun["order"] != order:
                msg = f"to: {self._directory} holds an unfinished export with another order"
                raise InputError(msg, field="to")
            return begun
        head = self._tree.catch_up()
        last = min(head.position, head.position if self._order.upto is None else self._order.upto)
        size, first = self._leaves(last), self._leaves(self._order.after)
        if size <= first:
            msg = f"there is no event after position {self._order.after} and up to {last}"
            raise NotFoundError(msg)
        return {"order": order, "first": first, "size": size, "last": last, "files": []}

    def _leaves(self, position: int) -> int:
        """Return how many events there are up to a position."""
        found = self._tree.last_at(position)
        return found + 1 if found is not None else 0

    def _frontier(self, size: int) -> Frontier:
        return Frontier.of(self._tree.node, size)

    def _write(self, after: int, upto: int, number: int, frontier: Frontier) -> Iterator[dict[str, Any]]:
        rows = (row for page in self._rows.pages(after, upto) for row in page)
        first = next(rows, None)
        while first is not None:
            number += 1
            name = f"events-{number:06d}.{ENDINGS[self._order.form]}"
            with _Hashing(self._directory / name) as file:
                first, told = self._fill(file, first, rows, frontier)
            yield {"name": name, "sha256": file.digest(), **told}

    def _fill(
        self, file: "_Hashing", first: Row, rows: Iterator[Row], frontier: Frontier
    ) -> tuple[Row | None, dict[str, Any]]:
        if self._order.form == "csv":
            file.write(record(COLUMNS))
        row: Row | None = first
        last, events, masked = first[0], 0, 0
        while row is not None and events < self._order.events_per_file:
            event, text = self._line(row)
            frontier.add(event.leaf)
            file.write(text)
            last, events, masked = row[0], events + 1, masked + event.masked
            row = next(rows, None)
        return row, {"first": first[0], "last": last, "events": events, "masked": masked}

    def _line(self, row: Row) -> tuple[Exported, str]:
        try:
            event = exported(row, self._order.mask)
            return event, line(event, self._order.form)
        except ValueError as error:
            msg = f"the row at position {row[0]} cannot be exported: {error}; gov audit verify says more"
            raise TamperedError(msg, position=row[0]) from None

    def _manifest(self, begun: dict[str, Any], frontier: Frontier) -> dict[str, Any]:
        files = begun["files"]
        before = self._frontier(begun["first"])
        return {
            "format": FORMAT,
            "events_as": self._order.form,
            "first_position": files[0]["first"],
            "last_position": files[-1]["last"],
            "events": sum(each["events"] for each in files),
            "masked_events": sum(each["masked"] for each in files),
            "mask": list(self._order.mask.rules),
            "leaves_before": begun["first"],
            "tree_before": [b64encode(node).decode() for node in before.nodes],
            "tree_size": frontier.size,
            "root": b64encode(frontier.root()).decode(),
            "files": files,
        }

    def _sign(self, manifest: dict[str, Any], signer: Signer, now: datetime, begun: dict[str, Any]) -> None:
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        tree = Checkpoint.at(
            signer.name, manifest["tree_size"], self._tree.root(begun["size"]), position=begun["last"], time=now
        )
        told = (*tree.extensions, f"export sha256 {sha256(text.encode()).hexdigest()}")
        signed = signer.sign(Checkpoint(tree.origin, tree.size, tree.root, told).text())
        replace_file(self._directory / SIGNATURE, signed)
        replace_file(self._directory / MANIFEST, text)
        (self._directory / UNFINISHED).unlink(missing_ok=True)


class _Hashing:
    """A file that is hashed as it is written."""

    def __init__(self, file: Path) -> None:
        self._path = file
        self._hash = sha256()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "_Hashing":
        self._file = self._path.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, text: str) -> None:
        data = text.encode()
        self._hash.update(data)
        if self._file is not None:
            self._file.write(data)

    def digest(self) -> str:
        return self._hash.hexdigest()
