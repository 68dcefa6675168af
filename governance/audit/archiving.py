"""Archives: a receipt for every request that was closed before a time, one to a line, and checked without a store."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from governance.audit.keeping import KeptTree
from governance.audit.keys import KeyStore
from governance.audit.notes import Checkpoint, Note, NoteError, Verifier
from governance.audit.receipts import check, receipt
from governance.audit.replay import Replay
from governance.domain.errors import InputError
from governance.domain.lifecycle import OPEN
from governance.event_store.audit_rows import AuditRows

RECEIPTS: Final = "receipts.jsonl"
CHECKPOINT: Final = "archive.checkpoint"
_MOST_WRONG: Final = 20


@dataclass(frozen=True)
class ArchiveChecked:
    """How many receipts an archive holds, and what is wrong with it."""

    receipts: int
    checkpoint: Checkpoint | None
    wrong: tuple[str, ...]


def archive(
    rows: AuditRows, tree: KeptTree, directory: Path, before: datetime, signed: str, keys: Sequence[Verifier]
) -> int:
    """Write the receipts of all requests that were closed before a time, and return how many those are.

    InputError for a directory that holds an archive already. One request is in memory at a time.
    """
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / RECEIPTS
    if target.exists():
        msg = f"directory: {directory} holds an archive already"
        raise InputError(msg, field="directory")
    unfinished = directory / f"{RECEIPTS}.unfinished"
    count = 0
    with unfinished.open("w", encoding="utf-8") as file:
        for request_id in _closed(rows, before):
            document = receipt(rows, tree, request_id, signed, keys)
            file.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
            count += 1
    (directory / CHECKPOINT).write_text(signed, encoding="utf-8")
    unfinished.replace(target)
    return count


def check_archive(directory: Path, keys: KeyStore, now: datetime) -> ArchiveChecked:
    """Return what is wrong with an archive: each receipt by itself, and all of one checkpoint that counts."""
    try:
        signed = (directory / CHECKPOINT).read_text(encoding="utf-8")
        checkpoint: Checkpoint | None = Checkpoint.parse(keys.verified(signed, now).text)
    except OSError as error:
        msg = f"directory: {directory} holds no archive: {error.strerror or error}"
        raise InputError(msg, field="directory") from None
    except (NoteError, UnicodeDecodeError) as error:
        return ArchiveChecked(0, None, (f"checkpoint: {error}",))
    trusted = [each.verifier for each in keys.keys()]  # noqa: SIM118 - not a dict
    count, wrong = 0, list[str]()
    for text in _lines(directory / RECEIPTS):
        count += 1
        wrong += _wrong(text, signed, trusted, count)
        if len(wrong) > _MOST_WRONG:
            break
    return ArchiveChecked(count, checkpoint, tuple(wrong[:_MOST_WRONG]))


def _closed(rows: AuditRows, before: datetime) -> Iterator[str]:
    for request in Replay(rows).requests():
        if request.status not in OPEN and request.updated_at < before:
            yield request.id


def _lines(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8") as lines:
            yield from lines
    except (OSError, UnicodeDecodeError) as error:
        msg = f"directory: {file} cannot be read: {error}"
        raise InputError(msg, field="directory") from None


def _wrong(text: str, signed: str, trusted: Sequence[Verifier], number: int) -> Iterator[str]:
    try:
        found = check(text, trusted)
        same = Note.parse(json.loads(text)["checkpoint"]) == Note.parse(signed)
    except (InputError, NoteError) as error:
        yield f"line {number}: {error}"
        return
    if not same:
        yield f"line {number}: of another checkpoint than {CHECKPOINT}"
    yield from (f"line {number}: {each}" for each in found.wrong)
