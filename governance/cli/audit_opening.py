"""What the commands of an audit stand on: rows and tree of the store, keys, and checkpoints whose signature counts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from governance.cli.opening import vault_of
from governance.cli.session import Session
from governance.domain.errors import InputError, TamperedError

if TYPE_CHECKING:
    from governance.audit.judging import Anchor
    from governance.audit.keeping import KeptTree
    from governance.audit.keys import KeyStore
    from governance.event_store.audit_rows import AuditRows
    from governance.event_store.sealing import Vault
    from governance.event_store.tree_tables import TreeTables

DEFAULT_KEYS = "governance-keys"
KeysDirectory = Annotated[
    str,
    typer.Option("--keys", metavar="DIRECTORY", envvar="GOVERNANCE_KEYS", help="Where the keys of checkpoints are."),
]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Which key, if there are several.")]


@dataclass(frozen=True)
class Audited:
    """A store opened for an audit: read by rows, and the tree kept beside them."""

    rows: "AuditRows"
    tables: "TreeTables"
    tree: "KeptTree"
    vault: "Vault"


@contextmanager
def audited(session: Session) -> Iterator[Audited]:
    """Give the store; nothing is made or migrated by opening it."""
    from governance.audit.keeping import KeptTree
    from governance.event_store.audit_connection import AuditConnection
    from governance.event_store.audit_rows import AuditRows
    from governance.event_store.tree_tables import TreeTables
    from governance.settings import Settings

    session.check_url()
    vault = vault_of(session)
    with AuditConnection(session.url, schema=Settings().database_schema) as connection:
        rows, tables = AuditRows(connection), TreeTables(connection)
        yield Audited(rows, tables, KeptTree(rows, tables), vault)


def key_store(directory: str) -> "KeyStore":
    """Return the keys of a directory, which need not exist yet."""
    from governance.audit.keys import KeyStore

    return KeyStore(Path(directory))


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def anchors(paths: Sequence[str], keys: "KeyStore") -> "list[Anchor]":
    """Return the checkpoints of files, and of all `.checkpoint` files of directories; TamperedError for a false one."""
    return [_anchor(file, keys) for given in paths for file in _files(given)]


def _files(given: str) -> list[Path]:
    path = Path(given)
    found = sorted(path.glob("*.checkpoint")) if path.is_dir() else [path]
    if not found:
        msg = f"checkpoint: there is no .checkpoint file in {given}"
        raise InputError(msg, field="checkpoint")
    return found


def _anchor(file: Path, keys: "KeyStore") -> "Anchor":
    from governance.audit.judging import Anchor
    from governance.audit.notes import Checkpoint, NoteError

    try:
        return Anchor(file.name, Checkpoint.parse(keys.verified(read_text(file), now()).text))
    except NoteError as error:
        msg = f"{file} is not a checkpoint that counts: {error}"
        raise TamperedError(msg, file=file) from None


def read_text(file: Path) -> str:
    """Return the text of a file as it stands; InputError when it cannot be read or is not text."""
    try:
        return file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"file: cannot read {str(file)!r}: {getattr(error, 'strerror', None) or 'it is not text'}"
        raise InputError(msg, field="file") from None


def full_request_id(session: Session, given: str) -> str:
    """Return the full id of a request given by id or by its ending."""
    from governance.cli.session import request_id

    with session.store() as governance:
        return request_id(governance, given)
