"""The keys of personal data, one for each person: made, found and destroyed in their own table, never in events."""

import os
import time
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from stat import S_IMODE
from threading import Lock
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from governance.domain.errors import ConfigurationError, StoreUnavailableError
from governance.event_store.audit_connection import AuditConnection
from governance.event_store.connect import sqlite_path
from governance.event_store.sqlite_connections import MEMORY

KEPT_SECONDS: Final = 30.0
"""How long a process goes on with a key that another may have destroyed meanwhile."""
_SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_OPEN_TO_OTHERS: Final = 0o077
_INSERT: Final = (
    "INSERT INTO {schema}governance_personal_keys (id, subject, secret, made_at) VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)
_OF: Final = "SELECT id, secret FROM {schema}governance_personal_keys WHERE subject = ? AND secret IS NOT NULL"
_NAMED: Final = "SELECT secret FROM {schema}governance_personal_keys WHERE id = ?"
_DESTROY: Final = (
    "UPDATE {schema}governance_personal_keys SET secret = NULL, destroyed_at = ? "
    "WHERE subject = ? AND secret IS NOT NULL"
)
_DESTROYED: Final = (
    "SELECT id FROM {schema}governance_personal_keys WHERE subject = ? AND secret IS NULL ORDER BY made_at, id"
)


class PersonalKey(NamedTuple):
    """A key, by the id that sealed values name it by."""

    id: str
    secret: bytes


class PersonalKeys:
    """Keys by subject and by id. Safe for threads; what it has read it believes for half a minute."""

    def __init__(
        self, url: str, schema: str | None = None, key_file: str | None = None, clock: Callable[[], float] | None = None
    ) -> None:
        """Raises ConfigurationError when the file with the key that protects the others cannot be used."""
        self._url = url
        self._schema = schema
        self._guard = None if key_file is None else AESGCM(read_key_file(Path(key_file)))
        self._clock = clock or time.monotonic
        self._lock = Lock()
        self._by_subject: dict[str, tuple[float, PersonalKey]] = {}
        self._by_id: dict[str, tuple[float, PersonalKey | None]] = {}
        in_memory = url.startswith("sqlite") and sqlite_path(url) == MEMORY
        self._rows: list[tuple[str, str, bytes | None]] | None = [] if in_memory else None

    def of(self, subject: str) -> PersonalKey:
        """Return the key of a subject, made if there is none."""
        with self._lock:
            known = self._by_subject.get(subject)
            if known is not None and known[0] > self._clock():
                return known[1]
            key = self._found(subject) or self._made(subject)
            self._by_subject[subject] = self._until(), key
            self._by_id[key.id] = self._until(), key
            return key

    def named(self, key_id: str) -> PersonalKey | None:
        """Return the key with an id, None when it was destroyed, or is that of another store."""
        with self._lock:
            known = self._by_id.get(key_id)
            if known is not None and known[0] > self._clock():
                return known[1]
            secret = self._secret(key_id)
            key = None if secret is None else PersonalKey(key_id, self._unguarded(key_id, secret))
            self._by_id[key_id] = self._until(), key
            return key

    def destroy(self, subject: str) -> tuple[str, ...]:
        """Destroy the key of a subject, if there is one, and return the ids of all that were ever destroyed for it."""
        with self._lock:
            self._by_subject.pop(subject, None)
            self._by_id.clear()
            if self._rows is not None:
                self._rows[:] = [(key_id, of, None if of == subject else each) for key_id, of, each in self._rows]
                return tuple(key_id for key_id, of, _ in self._rows if of == subject)
            with AuditConnection(self._url, schema=self._schema) as connection:
                _overwrite(connection)
                connection.ask(_DESTROY, (_now(), subject))
                destroyed = tuple(_text(each) for (each,) in connection.ask(_DESTROYED, (subject,)))
                _leave_no_copy(connection)
            return destroyed

    def _until(self) -> float:
        return self._clock() + KEPT_SECONDS

    def _found(self, subject: str) -> PersonalKey | None:
        if self._rows is not None:
            found = [(key_id, secret) for key_id, of, secret in self._rows if of == subject and secret is not None]
        else:
            with AuditConnection(self._url, schema=self._schema) as connection:
                found = [(_text(key_id), bytes(secret)) for key_id, secret in connection.ask(_OF, (subject,))]
        return PersonalKey(found[0][0], self._unguarded(*found[0])) if found else None

    def _made(self, subject: str) -> PersonalKey:
        key = PersonalKey(os.urandom(16).hex(), os.urandom(_SECRET_BYTES))
        if self._rows is not None:
            self._rows.append((key.id, subject, self._guarded(key)))
            return key
        with AuditConnection(self._url, schema=self._schema) as connection:
            connection.ask(_INSERT, (key.id, subject, self._guarded(key), _now()))
        found = self._found(subject)  # not always the one just made: another process may have been faster
        if found is None:
            msg = f"the key of {subject} was destroyed while it was made; try again"
            raise StoreUnavailableError(msg, subject=subject)
        return found

    def _secret(self, key_id: str) -> bytes | None:
        if self._rows is not None:
            return next((secret for each, _, secret in self._rows if each == key_id), None)
        with AuditConnection(self._url, schema=self._schema) as connection:
            found = connection.ask(_NAMED, (key_id,))
        return None if not found or found[0][0] is None else bytes(found[0][0])

    def _guarded(self, key: PersonalKey) -> bytes:
        if self._guard is None:
            return key.secret
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._guard.encrypt(nonce, key.secret, key.id.encode())

    def _unguarded(self, key_id: str, stored: bytes) -> bytes:
        if len(stored) == _SECRET_BYTES:
            return stored  # made when there was no key to protect it
        try:
            if self._guard is not None:
                return self._guard.decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], key_id.encode())
        except (InvalidTag, ValueError):
            pass
        msg = f"the key {key_id} of personal data is protected by another key than GOVERNANCE_PERSONAL_KEY_FILE gives"
        raise ConfigurationError(msg, key=key_id)


def read_key_file(path: Path) -> bytes:
    """Return the 32 bytes in a file (base64); ConfigurationError for a file that others can read, or that is no key."""
    try:
        if S_IMODE(path.stat().st_mode) & _OPEN_TO_OTHERS:
            msg = f"{path} can be read by others than its owner: chmod 600 {path}"
            raise ConfigurationError(msg, path=str(path))
        key = b64decode(path.read_text(encoding="ascii").strip(), validate=True)
    except (OSError, ValueError) as error:
        msg = f"the key that protects those of personal data cannot be read from {path}: {error}"
        raise ConfigurationError(msg, path=str(path)) from None
    if len(key) != _SECRET_BYTES:
        msg = f"{path} holds {len(key)} bytes, not {_SECRET_BYTES}: make one with openssl rand -base64 32"
        raise ConfigurationError(msg, path=str(path))
    return key


def _overwrite(connection: AuditConnection) -> None:
    """Have SQLite overwrite with zeros what it deletes."""
    if not connection.on_postgres:
        connection.ask("PRAGMA secure_delete = ON")


def _leave_no_copy(connection: AuditConnection) -> None:
    """Have the old row overwritten as far as the database lets us: its write-ahead log, or the dead row."""
    try:
        connection.ask(
            "VACUUM {schema}governance_personal_keys" if connection.on_postgres else "PRAGMA wal_checkpoint(TRUNCATE)"
        )
    except StoreUnavailableError:
        return  # the key is gone for every reader; the dead row goes with the next vacuum


def _text(stored: bytes | str) -> str:
    return stored.decode() if isinstance(stored, bytes) else stored


def _now() -> str:
    return datetime.now(UTC).isoformat()
