"""Checking an export offline: every file and event hashed again, up to the root that the signed manifest states."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from governance.audit.export_rows import FORMATS, read
from governance.audit.exporting import FORMAT, MANIFEST, SIGNATURE
from governance.audit.keys import KeyStore
from governance.audit.notes import Checkpoint, NoteError
from governance.audit.tree import Frontier
from governance.domain.errors import InputError

_MOST_WRONG: Final = 20


@dataclass(frozen=True)
class ExportChecked:
    """What an export proves, and what is wrong with it."""

    manifest: dict[str, Any]
    events: int
    masked: int
    wrong: tuple[str, ...]


def check_export(directory: Path, keys: KeyStore, now: datetime) -> ExportChecked:
    """Return what is wrong with an export; InputError when the directory does not hold one. Constant memory."""
    text = _text(directory / MANIFEST)
    manifest = _manifest(text)
    wrong = list(_signature(directory, text, manifest, keys, now))
    checking = _Checking(manifest)
    for told in manifest["files"]:
        wrong += checking.file(directory, told)
        if len(wrong) > _MOST_WRONG:
            break
    else:
        wrong += checking.end()
    return ExportChecked(manifest, checking.events, checking.masked, tuple(wrong[: _MOST_WRONG + 1]))


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"directory: cannot read {str(file)!r}: {getattr(error, 'strerror', None) or 'it is not text'}"
        raise InputError(msg, field="directory") from None


def _manifest(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        sound = found["format"] == FORMAT and found["events_as"] in FORMATS
        sound = sound and all(
            Path(each["name"]).name == each["name"] and isinstance(each["sha256"], str) and type(each["events"]) is int
            for each in found["files"]
        )
        [b64decode(each, validate=True) for each in (*found["tree_before"], found["root"])]
        sound = sound and all(isinstance(found[name], int) for name in ("leaves_before", "tree_size", "events"))
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        msg = f"directory: its manifest is not one of format {FORMAT}"
        raise InputError(msg, field="directory")
    return dict(found)


def _signature(directory: Path, text: str, manifest: dict[str, Any], keys: KeyStore, now: datetime) -> Iterator[str]:
    try:
        tree = Checkpoint.parse(keys.verified(_text(directory / SIGNATURE), now).text)
    except NoteError as error:
        yield f"signature: {error}"
        return
    if f"export sha256 {sha256(text.encode()).hexdigest()}" not in tree.extensions:
        yield "signature: it is for another manifest"
    if (tree.size, b64encode(tree.root).decode()) != (manifest["tree_size"], manifest["root"]):
        yield "signature: it is for another tree"


class _Checking:
    def __init__(self, manifest: dict[str, Any]) -> None:
        self._manifest = manifest
        before = [b64decode(each) for each in manifest["tree_before"]]
        self._frontier = Frontier(manifest["leaves_before"], before)
        self._last = 0
        self.events = self.masked = 0

    def file(self, directory: Path, told: dict[str, Any]) -> Iterator[str]:
        path = directory / told["name"]
        if not path.is_file():
            yield f"{told['name']} is missing"
            return
        hashed, count = sha256(), self.events
        for number, record in enumerate(_records(path, hashed, self._manifest["events_as"]), start=1):
            yield from self._event(f"{told['name']}, record {number}", record)
        if hashed.hexdigest() != told["sha256"]:
            yield f"{told['name']} is not the file that was exported"
        if self.events - count != told["events"]:
            yield f"{told['name']} holds {self.events - count:,} events, not {told['events']:,}"

    def end(self) -> Iterator[str]:
        if self.events != self._manifest["events"]:
            yield f"there are {self.events:,} events, not {self._manifest['events']:,}"
        root = b64encode(self._frontier.root()).decode()
        if (self._frontier.size, root) != (self._manifest["tree_size"], self._manifest["root"]):
            yield "the events do not make the tree that was signed"

    def _event(self, place: str, record: str) -> Iterator[str]:
        try:
            found = read(record, self._manifest["events_as"])
            holds = found.holds
        except ValueError as error:
            yield f"{place}: {error}"
            return
        self.events += 1
        self.masked += found.row is None
        if not holds:
            yield f"{place}: position {found.position} is not the event that was stored"
        if found.position <= self._last:
            yield f"{place}: position {found.position} follows {self._last}"
        self._last = found.position
        self._frontier.add(found.leaf)


def _records(path: Path, hashed: Any, form: str) -> Iterator[str]:
    """Return the records of a file; in CSV one may go over several lines, until its quotes are even."""
    with path.open("rb") as file:
        waiting, heading = b"", form == "csv"
        for line in file:
            hashed.update(line)
            waiting += line
            if form == "csv" and waiting.count(b'"') % 2:
                continue
            record, waiting = waiting, b""
            if heading:
                heading = False
                continue
            yield record.decode("utf-8", "replace")
        if waiting:
            yield waiting.decode("utf-8", "replace")
