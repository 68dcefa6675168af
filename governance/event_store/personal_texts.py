"""Which texts of events are personal by rule, and whose: names of actors, and what people wrote."""

from collections.abc import Iterator
from typing import Any, Final, Literal

Texts = Literal["name", "reason", "comment", "metadata"]
"""What can be sealed of every event, beside marked fields: see `Settings.personal_texts`."""
Place = tuple[str | int, ...]
_WRITTEN: Final = {"reason": ("reason",), "comment": ("comment", "text")}
_BY_PEOPLE: Final = frozenset(
    {
        "Created", "Commented", "ApprovalGranted", "ApprovalRejected", "ApprovalWithdrawn", "ApprovalDelegated",
        "ApprovalReassigned", "GlassBroken", "Reviewed", "Canceled", "BatchCreated",
    }
)  # fmt: skip


def owned_texts(envelope: dict[str, Any], texts: frozenset[str]) -> dict[Place, str]:
    """Return the places of an event that are personal by rule, each with whose it is."""
    by, data = envelope["by"], envelope["data"]
    places: dict[Place, str] = {}
    if "name" in texts:
        places.update(_names(by, ("by",)))
        places.update(_names(data, ("data",)))
    if envelope["type"] in _BY_PEOPLE:
        author = str(by.get("on_behalf_of") or by["id"])
        places.update((place, author) for place in _written(data, texts))
    return places


def _written(data: dict[str, Any], texts: frozenset[str]) -> Iterator[Place]:
    for kind, names in _WRITTEN.items():
        if kind in texts:
            yield from (("data", name) for name in names if isinstance(data.get(name), str))
    if "metadata" in texts:
        yield from (("data", "metadata", key) for key in data.get("metadata") or ())
        yield from (("data", "intent", "metadata", key) for key in (data.get("intent") or {}).get("metadata") or ())


def _names(value: Any, path: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, dict):
        if "authenticated_by" in value and isinstance(value.get("name"), str):  # an actor
            yield (*path, "name"), str(value["id"])
        for key, item in value.items():
            yield from _names(item, (*path, key))
