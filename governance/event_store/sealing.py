"""Sealing personal values: AES-GCM under the key of whom they are about, bound to stream, version and field."""

import hmac
import json
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from hashlib import sha256
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel

from governance.domain.personal import ERASED
from governance.domain.story import Decision, Story
from governance.domain.values import SEALED
from governance.event_store.personal_keys import PersonalKey, PersonalKeys
from governance.event_store.personal_texts import Place, owned_texts

_TOKEN: Final = re.compile(SEALED + r"([0-9a-f]{32}):([\w-]{43}):([\w-]*):([^:]*)", re.ASCII)
CONCEALED: Final = "[sealed]"
_START: Final = b'"' + SEALED.encode()
_NONCE_BYTES: Final = 12
T = TypeVar("T")


class Vault:
    """Seals and opens values with the keys of one store."""

    def __init__(self, keys: PersonalKeys, texts: Iterable[str] = ()) -> None:
        """`texts` names what else is sealed of every event: `name`, `reason`, `comment`, `metadata`."""
        self.keys = keys
        self.texts = frozenset(texts)

    def sealed(self, subject: str, value: Any) -> str:
        """Return a JSON value sealed for its subject; it has no place until it is stored."""
        return _seal(self.keys.of(subject), _plain(value), "")

    def opened(self, thing: T) -> T:
        """Return the thing with every sealed value in it opened; `[erased]` where the key was destroyed."""
        return cast(T, _replaced(thing, self._open))

    def placed(self, stream: str, version: int, state: bytes) -> bytes:
        """Return an event as it is stored: every sealed value bound to its place, and texts sealed by rule."""
        if not self.texts and _START not in state:
            return state
        document = json.loads(state)
        owners = owned_texts(document, self.texts)
        place = place_of(stream, version)

        def at_place(path: Place, value: Any) -> Any:
            if isinstance(value, str) and _TOKEN.fullmatch(value):
                return self._moved(value, place(path))
            owner = owners.get(path)
            return value if owner is None else _seal(self.keys.of(owner), _plain(value), place(path))

        moved = _walked(document, (), at_place)
        return json.dumps(moved, ensure_ascii=False, separators=(",", ":")).encode()

    def _open(self, text: str) -> Any:
        found = _TOKEN.fullmatch(text)
        if found is None:
            return text
        plain = self._plain_of(found)
        return ERASED if plain is None else json.loads(plain)

    def _moved(self, token: str, place: str) -> str:
        found = _TOKEN.fullmatch(token)
        key = self.keys.named(found[1]) if found else None
        plain = self._plain_of(found) if found else None
        if found is None or key is None or plain is None:
            return f"{SEALED}{found[1]}:{found[2]}::{place}" if found else token
        return _seal(key, plain, place)

    def _plain_of(self, found: "re.Match[str]") -> bytes | None:
        key = self.keys.named(found[1])
        if key is None or not found[3]:
            return None
        sealed = _bytes(found[3])
        try:
            bound = f"{found[1]}:{found[2]}:{found[4]}".encode()
            return AESGCM(_derived(key, b"seal")).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):
            return None


def concealed(thing: T) -> T:
    """Return the thing with `[sealed]` for every sealed value in it, for those who have no keys."""
    return cast(T, _replaced(thing, lambda text: CONCEALED if _TOKEN.fullmatch(text) else text))


def misplaced(stream: str, version: int, state: bytes) -> list[str]:
    """Return the fields of a stored event that hold what was sealed for another place; needs no key."""
    if _START not in state:
        return []
    place, wrong = place_of(stream, version), list[str]()

    def look(path: Place, value: Any) -> Any:
        found = _TOKEN.fullmatch(value) if isinstance(value, str) else None
        if found is not None and found[4] != place(path):
            wrong.append("/" + "/".join(map(str, path)))
        return value

    _walked(json.loads(state), (), look)
    return wrong


def place_of(stream: str, version: int) -> Callable[[Place], str]:
    """Return what names the places in an event."""
    return lambda path: "/".join((str(version), *(quote(str(each), safe="") for each in (stream, *path))))


def _seal(key: PersonalKey, plain: bytes, place: str) -> str:
    commitment = _text(hmac.digest(_derived(key, b"commit"), plain, sha256))
    nonce = os.urandom(_NONCE_BYTES)
    bound = f"{key.id}:{commitment}:{place}".encode()
    sealed = nonce + AESGCM(_derived(key, b"seal")).encrypt(nonce, plain, bound)
    return f"{SEALED}{key.id}:{commitment}:{_text(sealed)}:{place}"


def _derived(key: PersonalKey, purpose: bytes) -> bytes:
    return hmac.digest(key.secret, b"governance personal data: " + purpose, sha256)


def _plain(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _walked(value: Any, path: Place, change: Callable[[Place, Any], Any]) -> Any:
    changed = change(path, value)
    if changed is not value:
        return changed
    if isinstance(value, dict):
        return {key: _walked(item, (*path, key), change) for key, item in value.items()}
    if isinstance(value, list):
        return [_walked(item, (*path, at), change) for at, item in enumerate(value)]
    return value


def _replaced(thing: Any, change: Callable[[str], Any]) -> Any:
    if isinstance(thing, str):
        return change(thing) if thing.startswith(SEALED) else thing
    if isinstance(thing, Story):
        return thing.changed(lambda line: cast(Decision, _replaced(line, change)))
    if isinstance(thing, BaseModel):
        new = _changed(thing.__dict__, change)
        return thing.model_copy(update=new) if new else thing
    if isinstance(thing, Mapping):
        return {key: _replaced(item, change) for key, item in thing.items()}
    if isinstance(thing, list | tuple) and not hasattr(thing, "_fields"):
        return [_replaced(each, change) for each in thing] if isinstance(thing, list) else _tuple(thing, change)
    if is_dataclass(thing) and not isinstance(thing, type):
        new = _changed({each.name: getattr(thing, each.name) for each in fields(thing) if each.init}, change)
        return replace(thing, **new) if new else thing
    return thing


def _tuple(thing: tuple[Any, ...], change: Callable[[str], Any]) -> tuple[Any, ...]:
    return tuple(_replaced(each, change) for each in thing)


def _changed(parts: Mapping[str, Any], change: Callable[[str], Any]) -> dict[str, Any]:
    new = {name: _replaced(part, change) for name, part in parts.items()}
    # Comparing a story would read all of it.
    return {
        name: each
        for name, each in new.items()
        if each is not parts[name] and (isinstance(each, Story) or each != parts[name])
    }


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
