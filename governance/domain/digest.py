"""Digests of content: SHA-256 over canonical JSON (RFC 8785), so that equal content has one digest everywhere."""

import json
from hashlib import sha256
from typing import Any, NoReturn

import rfc8785

from governance.domain.personal import without_ciphertext


def digest(value: Any) -> str:
    """Return `sha256:` and 64 hex digits for a JSON value; values beyond I-JSON have been refused at the edge.

    Of a sealed value it covers the commitment, which outlives the key, and not the ciphertext, which is another at
    every place.
    """
    return f"sha256:{sha256(without_ciphertext(canonical(value))).hexdigest()}"


def canonical(value: Any) -> bytes:
    """Return the canonical JSON of a value, RFC 8785.

    Python's own encoder writes just that for values of ASCII text and integers, at a tenth of the cost; it differs in
    how it writes floats and in how it sorts keys beyond the Basic Multilingual Plane. Those go the long way.
    """
    text = _encode(value)
    if text.isascii() and not _holds_float(text):
        return text.encode()
    return rfc8785.dumps(value)


_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


class _FloatFoundError(Exception):
    """The text holds a number that is not an integer."""


def _found(_: str) -> NoReturn:
    raise _FloatFoundError


def _holds_float(text: str) -> bool:
    # Python writes a float with one of these in it; text may hold them too.
    if not ("." in text or "e+" in text or "e-" in text or "Infinity" in text or "NaN" in text):
        return False
    try:
        json.loads(text, parse_float=_found, parse_constant=_found)
    except _FloatFoundError:
        return True
    return False
