"""Stores for tests of the audit: played, signed, opened for verification, and changed behind the product's back."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from governance.audit.checkpoints import make_checkpoint
from governance.audit.judging import Anchor
from governance.audit.keeping import KeptTree
from governance.audit.keys import KeyStore
from governance.audit.notes import Checkpoint
from governance.audit.verifying import Report, Verification, Watch
from governance.audit.workers import Workers
from governance.event_store.audit_connection import AuditConnection
from governance.event_store.audit_rows import AuditRows
from governance.event_store.tree_tables import TreeTables
from tests.histories import Play

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
THOROUGH = os.environ.get("GOVERNANCE_AUDIT_THOROUGH", "") not in {"", "0"}
Rows = list[tuple[Any, ...]]
TABLES = {
    "governance_events": ("position", "stream", "version", "topic", "state"),
    "governance_tree": ("one", "size", "position"),
    "governance_tree_tiles": ("level", "number", "hashes", "positions"),
}


class Signed:
    """A store that was played and signed, and can be verified at any time."""

    def __init__(self, url: str, directory: Path, *, seed: int = 3, commands: Sequence[int] = (60, 240, 20)) -> None:
        self.url = url
        self.keys = KeyStore(directory / "keys")
        self.keys.generate("tests.example/log", NOW)
        self.anchors: list[Anchor] = []
        for nth, count in enumerate(commands):
            with Play(url, seed + nth) as play:
                play.commands(count)
            if nth < len(commands) - 1:
                self.sign()

    def sign(self) -> str:
        with opened(self.url) as (rows, tables):
            signed = make_checkpoint(KeptTree(rows, tables), self.keys, self.keys.signer(), NOW)
        checkpoint = Checkpoint.parse(self.keys.verified(signed, NOW).text)
        self.anchors.append(Anchor(f"at {checkpoint.size}", checkpoint))
        return signed

    def verify(
        self, *, anchors: Sequence[Anchor] | None = None, meaning: bool = True, workers: Workers | None = None
    ) -> Report:
        with opened(self.url) as (rows, tables):
            verification = Verification(rows, tables, self.anchors if anchors is None else anchors, workers)
            return verification.run(verification.begin(), Watch(), meaning=meaning)


@contextmanager
def opened(url: str) -> Iterator[tuple[AuditRows, TreeTables]]:
    with AuditConnection(url) as connection:
        yield AuditRows(connection), TreeTables(connection)


class Intruder:
    """Somebody with every right in the database: changes what is never changed, and can put it all back."""

    def __init__(self, url: str) -> None:
        self.on_postgres = not url.startswith("sqlite")
        if self.on_postgres:
            self._connection: Any = psycopg.connect(url, autocommit=True, options="-c search_path=governance")
            self._connection.execute("ALTER TABLE governance_events DISABLE TRIGGER governance_refuse_change")
        else:
            self._connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
            for name in ("update", "delete", "replace"):
                self._connection.execute(f"DROP TRIGGER IF EXISTS governance_refuse_{name}")
        self._before = {name: self.table(name) for name in TABLES}
        self._drawn = self.drawn()

    def do(self, statement: str, *given: Any) -> None:
        self._connection.execute(statement.replace("?", "%s") if self.on_postgres else statement, given)

    def rows(self) -> Rows:
        return self.table("governance_events")

    def table(self, name: str) -> Rows:
        order = ", ".join(TABLES[name][:2])
        columns = ", ".join(TABLES[name])
        return [tuple(row) for row in self._connection.execute(f"SELECT {columns} FROM {name} ORDER BY {order}")]

    def write(self, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self.do(f"DELETE FROM {name}")
        places = ", ".join("?" * len(TABLES[name]))
        with self.block():
            for row in rows:
                self.do(f"INSERT INTO {name} ({', '.join(TABLES[name])}) VALUES ({places})", *row)

    @contextmanager
    def block(self) -> Iterator[None]:
        self.do("BEGIN")
        yield
        self.do("COMMIT")

    def drawn(self) -> int:
        question = (
            "SELECT last_value FROM governance_positions"
            if self.on_postgres
            else "SELECT seq FROM sqlite_sequence WHERE name = 'governance_events'"
        )
        return int(self._connection.execute(question).fetchone()[0])

    def set_drawn(self, number: int) -> None:
        if self.on_postgres:
            self.do("SELECT setval('governance_positions', ?)", number)
        else:
            self.do("UPDATE sqlite_sequence SET seq = ? WHERE name = 'governance_events'", number)

    def put_back(self) -> None:
        for name, rows in self._before.items():
            if self.table(name) != rows:
                self.write(name, rows)
        self.set_drawn(self._drawn)

    def close(self) -> None:
        self._connection.close()


def makes_sense(url: str) -> tuple[str, ...]:
    """Return what of a store, of which nothing was signed, makes no sense."""
    with opened(url) as (rows, tables):
        verification = Verification(rows, tables, ())
        report = verification.run(verification.begin(), Watch())
    return tuple(each.message for each in report.problems)
