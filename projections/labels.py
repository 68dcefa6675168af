"""Labels: the values of fields that have several, kept in one row each; long ones by their digest."""

import json
from hashlib import sha256
from typing import Any, Final

MAX_LABEL_BYTES: Final = 300
"""PostgreSQL cannot index much more than 2,700 bytes, and four labels may stand side by side in one condition."""


def label(text: str) -> str:
    """Return the text itself, or its digest when it is too long for an index."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= MAX_LABEL_BYTES else f"sha256:{sha256(encoded).hexdigest()}"


def pair(name: str, value: Any) -> str:
    """Return the label of a pair of metadata, as in `field("metadata").has_any(pair("ticket", 42))`."""
    return label(f"{name}={json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(',', ':'))}")


def folded(text: str | None) -> str | None:
    """Return the text with its case folded, None when that makes no difference."""
    if text is None:
        return None
    lower = text.casefold()
    return lower if lower != text else None
