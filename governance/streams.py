"""The names of streams: a category and an id, as in `mutationRequest-0198…` and `governedState-tenant-42:roles`."""

from typing import Final

REQUEST: Final = "mutationRequest"
STATE: Final = "governedState"
KEY: Final = "idempotencyKey"
BATCH: Final = "mutationBatch"


def request_stream(request_id: str) -> str:
    """Return the stream of a request."""
    return f"{REQUEST}-{request_id}"


def state_stream(state_id: str) -> str:
    """Return the stream of a state."""
    return f"{STATE}-{state_id}"


def batch_stream(batch_id: str) -> str:
    """Return the stream of a batch."""
    return f"{BATCH}-{batch_id}"


def key_stream(key: str) -> str:
    """Return the stream that an idempotency key claims by being its first event."""
    return f"{KEY}-{key}"


def category(stream: str) -> str:
    """Return the category of a stream."""
    return stream.partition("-")[0]


def stream_id(stream: str) -> str:
    """Return the id of a stream within its category."""
    return stream.partition("-")[2]
