"""The names of streams: a category and an id, as in `mutationRequest-0198…` and `governedState-tenant-42:roles`."""

from typing import Final

REQUEST: Final = "mutationRequest"
STATE: Final = "governedState"
KEY: Final = "idempotencyKey"
BATCH: Final = "mutationBatch"
CALENDAR: Final = "changeCalendar"
QUOTA: Final = "quota"
PLACE: Final = "mutationPlace"
PERSONAL: Final = "personalData"
CATEGORIES: Final = (REQUEST, STATE, KEY, BATCH, CALENDAR, QUOTA, PLACE, PERSONAL)


def request_stream(request_id: str) -> str:
    """Return the stream of a request."""
    return f"{REQUEST}-{request_id}"


def state_stream(state_id: str) -> str:
    """Return the stream of a state."""
    return f"{STATE}-{state_id}"


def batch_stream(batch_id: str) -> str:
    """Return the stream of a batch."""
    return f"{BATCH}-{batch_id}"


def calendar_stream(name: str) -> str:
    """Return the stream of a calendar."""
    return f"{CALENDAR}-{name}"


def quota_stream(key: str) -> str:
    """Return the stream of a quota."""
    return f"{QUOTA}-{key}"


def key_stream(key: str) -> str:
    """Return the stream that an idempotency key claims by being its first event."""
    return f"{KEY}-{key}"


def place_stream(mutation_type: str, state_id: str) -> str:
    """Return the stream of those who competed for being the newest request of a kind about a state."""
    return f"{PLACE}-{mutation_type}:{state_id}"


def personal_stream(subject: str) -> str:
    """Return the stream that says when the data of a person was erased."""
    return f"{PERSONAL}-{subject}"


def category(stream: str) -> str:
    """Return the category of a stream."""
    return stream.partition("-")[0]


def stream_id(stream: str) -> str:
    """Return the id of a stream within its category."""
    return stream.partition("-")[2]
