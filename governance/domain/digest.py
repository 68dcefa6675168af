"""Digests of content: SHA-256 over canonical JSON (RFC 8785), so that equal content has one digest everywhere."""

from hashlib import sha256
from typing import Any

import rfc8785


def digest(value: Any) -> str:
    """Return `sha256:` and 64 hex digits for a JSON value; values beyond I-JSON have been refused at the edge."""
    return f"sha256:{sha256(rfc8785.dumps(value)).hexdigest()}"
