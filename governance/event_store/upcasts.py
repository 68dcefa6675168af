"""Old shapes of events brought up to today's, dict to dict, when they are read; what is stored is never rewritten.

To change the shape of an event: raise its `schema_version`, add the step from the old version here, keep the fixture of
the old shape, and add one of the new shape (docs/how-to/change-an-event.md).
"""

from collections.abc import Callable, Mapping
from typing import Any

from governance.domain.errors import UnknownEventError

Upcast = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTS: dict[tuple[str, int], Upcast] = {
    ("Created", 1): lambda data: {**data, "intent": {**data["intent"], "reversibility": None}},
    ("KeyClaimed", 1): lambda data: {**data, "kind": "request"},
    ("CompensationFailed", 1): lambda data: {**data, "owner": None},
}
"""From (topic, schema version) to the function that turns data of that version into data of the next."""


def upcast(
    topic: str, data: dict[str, Any], *, version: int, target: int, steps: Mapping[tuple[str, int], Upcast] = UPCASTS
) -> dict[str, Any]:
    """Return the data in the shape of the target version; UnknownEventError for a version that nothing leads from."""
    if version > target:
        msg = f"{topic} version {version} was written by a newer program; this one knows up to {target}"
        raise UnknownEventError(msg, topic=topic, version=version)
    for step in range(version, target):
        if (topic, step) not in steps:
            msg = f"{topic} version {step} cannot be read any more: no upcast leads to version {step + 1}"
            raise UnknownEventError(msg, topic=topic, version=step)
        data = steps[topic, step](data)
    return data
