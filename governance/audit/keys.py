"""The keys of checkpoints: private ones in files of their own, public ones in a list with when each counts."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from governance.audit.notes import Checkpoint, Note, NoteError, Signer, Verifier
from governance.domain.errors import ConfigurationError, NotFoundError

_LIST: Final = "keys.json"
_ALWAYS: Final = "1970-01-01T00:00:00+00:00"
_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022


@dataclass(frozen=True)
class TrustedKey:
    """A public key and when it is to be trusted: what it signs between `since` and `until` counts, unless revoked."""

    key: str
    since: str
    until: str | None = None
    revoked_at: str | None = None
    revoked_from: str | None = None
    revoked_because: str | None = None

    @property
    def verifier(self) -> Verifier:
        """Return the key itself."""
        return Verifier.parse(self.key)

    @property
    def id(self) -> str:
        """Return the eight hex digits by which people and notes name the key."""
        return self.verifier.id.hex()

    def refusal(self, at: datetime) -> str | None:
        """Return why what the key signed at a time does not count, None when it does."""
        if self.revoked_at and (self.revoked_from is None or at >= datetime.fromisoformat(self.revoked_from)):
            return f"key {self.id} was revoked at {self.revoked_at}: {self.revoked_because}"
        if at < datetime.fromisoformat(self.since):
            return f"key {self.id} is trusted since {self.since} only"
        if self.until is not None and at > datetime.fromisoformat(self.until):
            return f"key {self.id} was to be used until {self.until} only"
        return None


class KeyStore:
    """A directory of keys. Who can write to it decides what is proven: keep it away from the database's people."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def keys(self) -> tuple[TrustedKey, ...]:
        """Return the public keys, oldest first; ConfigurationError for a list that is not one."""
        file = self.directory / _LIST
        if not file.exists():
            return ()
        self._refuse_writable(file)
        try:
            found = tuple(TrustedKey(**each) for each in json.loads(file.read_text(encoding="utf-8"))["keys"])
            for each in found:
                each.refusal(datetime.fromisoformat(each.since))
        except (ValueError, TypeError, KeyError) as error:
            msg = f"{file} is not a list of keys: {error}"
            raise ConfigurationError(msg, file=file) from None
        return found

    def generate(self, name: str, now: datetime) -> TrustedKey:
        """Make a key pair and trust it from now on; ConfigurationError when there is a key of this name to rotate."""
        current = next((each for each in self.keys() if each.verifier.name == name and _in_use(each)), None)
        if current is not None:
            msg = f"{name} has key {current.id}: rotate it, or revoke it first"
            raise ConfigurationError(msg, key=current.id)
        return self._make(name, now)

    def trust(self, key: str) -> TrustedKey:
        """Trust somebody's public key for all times; ConfigurationError for what is none or in the list already."""
        try:
            trusted = TrustedKey(key=str(Verifier.parse(key)), since=_ALWAYS)
        except NoteError as error:
            raise ConfigurationError(str(error)) from None
        if any(each.key == trusted.key for each in self.keys()):
            msg = f"key {trusted.id} is in the list already"
            raise ConfigurationError(msg, key=trusted.id)
        self._write((*self.keys(), trusted))
        return trusted

    def rotate(self, name: str | None, now: datetime) -> TrustedKey:
        """Make a new key in place of the one in use, whose earlier signatures go on to count."""
        old = self._in_use(name)
        self._change(old.id, until=_text(now))
        return self._make(old.verifier.name, now)

    def revoke(self, key_id: str, now: datetime, *, since: datetime | None, reason: str) -> TrustedKey:
        """Let nothing that the key signed count, or nothing since a time; its private part is removed."""
        told = {"revoked_at": _text(now), "revoked_from": _text(since) if since else None, "revoked_because": reason}
        revoked = self._change(key_id, **told)
        self._private(key_id).unlink(missing_ok=True)
        return revoked

    def signer(self, name: str | None = None) -> Signer:
        """Return the private key in use; ConfigurationError when its file could be read by others."""
        key = self._in_use(name)
        file = self._private(key.id)
        if not file.exists():
            msg = f"the private part of key {key.id} is not in {self.directory}: sign where it is"
            raise ConfigurationError(msg, key=key.id)
        if file.stat().st_mode & _OTHERS or file.stat().st_uid not in {os.geteuid(), 0}:
            msg = f"{file} may be read by others than its owner: chmod 600, and gov keys rotate"
            raise ConfigurationError(msg, key=key.id)
        try:
            signer = Signer.parse(file.read_text(encoding="utf-8"))
        except (NoteError, UnicodeDecodeError):
            msg = f"{file} does not hold a private key"
            raise ConfigurationError(msg, key=key.id) from None
        if signer.verifier != key.verifier:
            msg = f"{file} holds another key than {key.id}"
            raise ConfigurationError(msg, key=key.id)
        return signer

    def verified(self, signed: str, now: datetime) -> Note:
        """Return the note if a key that counts has signed it, judged at the time that it states; NoteError if none."""
        note = Note.parse(signed)
        at = stated_time(note) or now
        known = {each.verifier: each for each in self.keys()}
        refusals = [known[verifier].refusal(at) for verifier in note.signed_by(known)]
        if all(refusals):
            raise NoteError("; ".join(each for each in refusals if each))
        return note

    def latest(self, name: str) -> str | None:
        """Return the last checkpoint that was signed here for a log, None before the first."""
        file = self._latest(name)
        return file.read_text(encoding="utf-8") if file.exists() else None

    def keep_latest(self, name: str, signed: str) -> None:
        """Remember the last checkpoint, so that no later one contradicts it."""
        replace_file(self._latest(name), signed)

    def _make(self, name: str, now: datetime) -> TrustedKey:
        try:
            signer = Signer.generate(name)
        except NoteError as error:
            raise ConfigurationError(str(error)) from None
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._refuse_writable(self.directory)
        key = TrustedKey(key=str(signer.verifier), since=_text(now))
        replace_file(self._private(key.id), signer.text() + "\n", mode=0o600)
        self._write((*self.keys(), key))
        return key

    def _in_use(self, name: str | None) -> TrustedKey:
        used = [each for each in self.keys() if _in_use(each) and name in {None, each.verifier.name}]
        own = [each for each in used if self._private(each.id).exists()] or used
        if not own:
            msg = f"there is no key in use in {self.directory}: gov keys generate NAME makes one"
            raise NotFoundError(msg, keys=self.directory)
        if len({each.verifier.name for each in own}) > 1:
            msg = f"there are several keys: {', '.join(sorted({each.verifier.name for each in own}))}; say which"
            raise ConfigurationError(msg)
        return own[-1]

    def _change(self, key_id: str, **told: Any) -> TrustedKey:
        keys = self.keys()
        found = next((each for each in keys if each.id == key_id), None)
        if found is None:
            msg = f"there is no key {key_id} in {self.directory}"
            raise NotFoundError(msg, key=key_id)
        changed = replace(found, **told)
        self._write(changed if each is found else each for each in keys)
        return changed

    def _write(self, keys: Iterator[TrustedKey] | tuple[TrustedKey, ...]) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        document = {"keys": [asdict(each) for each in keys]}
        replace_file(self.directory / _LIST, json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    def _private(self, key_id: str) -> Path:
        return self.directory / f"{key_id}.private"

    def _latest(self, name: str) -> Path:
        return self.directory / f"latest-{sha256(name.encode()).hexdigest()[:8]}.checkpoint"

    def _refuse_writable(self, path: Path) -> None:
        if path.stat().st_mode & _OTHERS_WRITE:
            msg = f"{path} may be written by others than its owner: who can do that decides what is trusted"
            raise ConfigurationError(msg, file=path)


def stated_time(note: Note) -> datetime | None:
    """Return when a note that is a checkpoint says to have been signed."""
    try:
        return Checkpoint.parse(note.text).time
    except NoteError:
        return None


def replace_file(file: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file as a whole or not at all, on the disk when this returns."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    beside.replace(file)


def _in_use(key: TrustedKey) -> bool:
    return key.until is None and key.revoked_at is None


def _text(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat()
