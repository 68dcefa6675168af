"""Signed notes and checkpoints, as C2SP defines them (signed-note, tlog-checkpoint), signed by Ed25519.

Offline like `proofs`: nothing here needs more than the standard library and `cryptography`.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519: Final = b"\x01"
_ID_BYTES: Final = 4
_SEED_BYTES: Final = 32
_MOST_SIGNATURES: Final = 100
_NAME: Final = re.compile(r"[^\s+\x00-\x1f\x7f]{1,200}")
_SIGNATURE: Final = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteError(ValueError):
    """The text is not a signed note or checkpoint, or no trusted key has signed it."""


@dataclass(frozen=True)
class Verifier:
    """A public key with its name."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """Return the four bytes by which notes name the key."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """Return the key of `name+id+base64`; NoteError for anything else."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        verifier = cls(_checked_name(name), _key(encoded))
        if verifier.id.hex() != key_id:
            msg = f"the id of key {name} is not that of its bytes"
            raise NoteError(msg)
        return verifier

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Return whether this key has signed the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Signer:
    """A private key with its name; its text form is a secret."""

    name: str
    seed: bytes

    @classmethod
    def generate(cls, name: str) -> "Signer":
        """Return a new key; NoteError for a name that notes cannot hold."""
        return cls(_checked_name(name), Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """Return the key of `PRIVATE+KEY+name+id+base64`; NoteError, which never shows the key, for anything else."""
        head, _, rest = text.strip().partition("PRIVATE+KEY+")
        name, _, rest = rest.partition("+")
        key_id, _, encoded = rest.partition("+")
        if head or not encoded:
            msg = "not a private key"
            raise NoteError(msg)
        signer = cls(_checked_name(name), _key(encoded))
        if signer.verifier.id.hex() != key_id:
            msg = f"the id of private key {name} is not that of its bytes"
            raise NoteError(msg)
        return signer

    def text(self) -> str:
        """Return the secret text form."""
        return f"PRIVATE+KEY+{self.name}+{self.verifier.id.hex()}+{b64encode(_ED25519 + self.seed).decode()}"

    def __repr__(self) -> str:
        return f"Signer({self.name}, {self.verifier.id.hex()})"

    @property
    def verifier(self) -> Verifier:
        """Return the public key."""
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        return Verifier(self.name, private.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """Return the text as a signed note; NoteError for a text that notes cannot hold."""
        _check_text(text)
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())
        return f"{text}\n— {self.name} {b64encode(self.verifier.id + signature).decode()}\n"


class Signature(NamedTuple):
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    """A signed text."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, signed: str) -> "Note":
        """Return the note; NoteError for what is not one."""
        text, gap, lines = signed.rpartition("\n\n")
        if not gap or not lines.endswith("\n"):
            msg = "not a signed note: a text, an empty line, and signature lines"
            raise NoteError(msg)
        _check_text(f"{text}\n")
        found = tuple(map(_signature, lines[:-1].split("\n")))
        if len(found) > _MOST_SIGNATURES:
            msg = "too many signatures"
            raise NoteError(msg)
        return cls(f"{text}\n", found)

    def signed_by(self, verifiers: Iterable[Verifier]) -> tuple[Verifier, ...]:
        """Return which of the keys have signed; NoteError when none has, or when a signature in their name is wrong."""
        known = {(each.name, each.id): each for each in verifiers}
        signers: list[Verifier] = []
        for name, key_id, signature in self.signatures:
            verifier = known.get((name, key_id))
            if verifier is None:
                continue
            if not verifier.verifies(self.text.encode(), signature):
                msg = f"the signature of {name} ({key_id.hex()}) is wrong"
                raise NoteError(msg)
            signers.append(verifier)
        if not signers:
            names = ", ".join(f"{each.name} ({each.key_id.hex()})" for each in self.signatures)
            msg = f"no trusted key has signed this; it is signed by {names}"
            raise NoteError(msg)
        return tuple(signers)


@dataclass(frozen=True)
class Checkpoint:
    """A tree at one moment: whose log, how many leaves, its root; extensions say the last position and the time."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @classmethod
    def at(cls, origin: str, size: int, root: bytes, *, position: int, time: datetime) -> "Checkpoint":
        """Return the checkpoint of a log at a time."""
        moment = time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return cls(origin, size, root, (f"position {position}", f"time {moment}"))

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Return the checkpoint that a note's text is; NoteError for anything else."""
        if not text.endswith("\n"):
            msg = "not a checkpoint"
            raise NoteError(msg)
        origin, size, root, *extensions = [*text[:-1].split("\n"), "", ""]
        extensions = extensions[:-2]
        if not origin or not _SIZE.fullmatch(size) or not all(extensions):
            msg = "not a checkpoint: lines with origin, size and root"
            raise NoteError(msg)
        return cls(origin, int(size), _decoded(root, _SEED_BYTES), tuple(extensions))

    def text(self) -> str:
        """Return what is signed."""
        lines = (self.origin, str(self.size), b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @property
    def position(self) -> int | None:
        """Return the position of the last event in the tree, None when the checkpoint does not say."""
        found = self._extension("position")
        return int(found) if found is not None and _SIZE.fullmatch(found) else None

    @property
    def time(self) -> datetime | None:
        """Return when the signer says to have signed, None when the checkpoint does not say."""
        found = self._extension("time")
        try:
            moment = datetime.fromisoformat(found) if found else None
        except ValueError:
            return None
        return moment if moment is None or moment.tzinfo else None

    def _extension(self, name: str) -> str | None:
        return next((each.partition(" ")[2] for each in self.extensions if each.startswith(f"{name} ")), None)


def opened(signed: str, verifiers: Sequence[Verifier]) -> tuple[Checkpoint, tuple[Verifier, ...]]:
    """Return a signed checkpoint and which of the keys have signed it; NoteError when it is none or nobody has."""
    note = Note.parse(signed)
    return Checkpoint.parse(note.text), note.signed_by(verifiers)


def _signature(line: str) -> Signature:
    found = _SIGNATURE.fullmatch(line)
    if found is None:
        msg = f"not a signature line: {line[:80]!r}"
        raise NoteError(msg)
    decoded = _decoded(found[2], None)
    if len(decoded) <= _ID_BYTES:
        msg = "a signature line without a signature"
        raise NoteError(msg)
    return Signature(found[1], decoded[:_ID_BYTES], decoded[_ID_BYTES:])


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(ord(char) < ord(" ") and char != "\n" for char in text):
        msg = "the text of a note ends with a newline and holds no other control character"
        raise NoteError(msg)


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        msg = f"the name of a key is 1 to 200 characters without blanks and plus signs, not {name[:80]!r}"
        raise NoteError(msg)
    return name


def _key(encoded: str) -> bytes:
    decoded = _decoded(encoded, 1 + _SEED_BYTES)
    if decoded[:1] != _ED25519:
        msg = "not an Ed25519 key"
        raise NoteError(msg)
    return decoded[1:]


def _decoded(text: str, length: int | None) -> bytes:
    try:
        decoded = b64decode(text, validate=True)
    except ValueError:
        decoded = b""
    if not decoded or (length is not None and len(decoded) != length) or b64encode(decoded).decode() != text:
        msg = "not the base64 that was expected"
        raise NoteError(msg)
    return decoded
