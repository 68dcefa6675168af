"""One append on its way to the store: its checked events, its deadline, and what became of it."""

from collections.abc import Sequence

from eventsourcing.persistence import DataError, StoredEvent

from governance.event_store.deadline import Deadline
from governance.event_store.recorder import VersionConflict

MAX_STREAM_BYTES = 1_024
MAX_TOPIC_BYTES = 256
MAX_VERSION = 2**63 - 1


class Row:
    """An event as the store takes it: checked text, encoded once."""

    __slots__ = ("size", "state", "stream", "topic", "version")

    def __init__(self, event: StoredEvent) -> None:
        """Raises DataError if any part could be refused by one database or the other."""
        self.stream = encode(event.originator_id, "stream", MAX_STREAM_BYTES)
        self.topic = encode(event.topic, "topic", MAX_TOPIC_BYTES)
        self.version = checked_version(event.originator_version)
        self.state = checked_state(event.state)
        self.size = len(self.stream) + len(self.topic) + len(self.state) + 8
        """How many bytes the event takes, roughly."""


def encode(text: object, what: str, limit: int) -> bytes:
    """Returns the text as UTF-8; raises DataError if it is empty, too long or has a NUL or a lone surrogate."""
    if not isinstance(text, str) or not text or "\0" in text:
        msg = f"{what} must be text without NUL and not empty"
        raise DataError(msg)
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        msg = f"{what} has a lone surrogate"
        raise DataError(msg) from error
    if len(encoded) > limit:
        msg = f"{what} has {len(encoded)} bytes, more than {limit}"
        raise DataError(msg)
    return encoded


def stored_form(originator_id: object) -> bytes | None:
    """Returns the id of a stream as it is stored, or None for one that no event can have."""
    try:
        return encode(str(originator_id), "stream", MAX_STREAM_BYTES)
    except DataError:
        return None


def bounded(number: int) -> int:
    """Returns the version or position, or the nearest one that both databases can hold."""
    return max(-1, min(number, MAX_VERSION))


def checked_version(version: int) -> int:
    """Returns the version; raises DataError if it is not an integer that both databases can hold."""
    if type(version) is not int or not 0 <= version <= MAX_VERSION:
        msg = f"version must be an integer from 0 to {MAX_VERSION}, not {version!r}"
        raise DataError(msg)
    return version


def checked_state(state: bytes) -> bytes:
    """Returns the state; raises DataError if it is not UTF-8 text without NUL.

    Checked here because one bad text would otherwise fail the whole flush that it shares.
    """
    if not isinstance(state, bytes) or b"\0" in state:
        msg = "state must be bytes without NUL"
        raise DataError(msg)
    try:
        state.decode()
    except UnicodeDecodeError as error:
        msg = "state is not UTF-8"
        raise DataError(msg) from error
    return state


class Append:
    """The events of one `insert_events` call, stored all together or not at all."""

    __slots__ = ("deadline", "rows", "size")

    def __init__(self, events: Sequence[StoredEvent], deadline: Deadline, limit_bytes: int) -> None:
        """Raises DataError for events that cannot be stored, VersionConflict if two share a version."""
        self.rows = [Row(event) for event in events]
        if len(self.rows) > 1:
            refuse_repeats(self.rows)
        self.size = sum([row.size for row in self.rows])
        self.deadline = deadline
        if self.size > limit_bytes:
            msg = f"an append of {self.size} bytes is larger than the limit of {limit_bytes}"
            raise DataError(msg)


def refuse_repeats(rows: Sequence[Row]) -> None:
    """Raises VersionConflict if two of the rows have the same stream and version."""
    seen: set[tuple[bytes, int]] = set()
    for row in rows:
        if (row.stream, row.version) in seen:
            raise VersionConflict(row.stream.decode(), row.version)
        seen.add((row.stream, row.version))
