"""Idempotency keys: the same key with the same content stands for what was made under it the first time."""

from collections.abc import Callable
from typing import Literal

from governance.appending import Append
from governance.domain.errors import IdempotencyConflictError, UnknownEventError
from governance.domain.events import KeyClaimed
from governance.event_store.log import EventLog
from governance.streams import key_stream

Kind = Literal["request", "batch"]


def claim(append: Append, key: str, kind: Kind, claimant: str, content: str) -> None:
    """Claim a key in the append that stores what is made under it; whoever comes second meets a conflict."""
    claimed = KeyClaimed(request_id=claimant, content_digest=content, kind=kind)
    append.add(key_stream(key), 0, [claimed], causation_id=claimant)


def claimant(log: EventLog, key: str, kind: Kind, content: Callable[[], str]) -> str | None:
    """Return the id of what was made under the key, None for nothing yet; IdempotencyConflictError if it is another."""
    stream = key_stream(key)
    claims = log.stream(stream, limit=1)
    if not claims:
        return None
    claimed = claims[0].event
    if not isinstance(claimed, KeyClaimed):
        msg = f"stream {stream} begins with {type(claimed).__name__}, not with KeyClaimed"
        raise UnknownEventError(msg, stream=stream)
    if (claimed.content_digest, claimed.kind) != (content(), kind):
        msg = f"idempotency key {key!r} stands for {claimed.kind} {claimed.request_id}, which asked for something else"
        raise IdempotencyConflictError(msg, idempotency_key=key, **{claimed.kind: claimed.request_id})
    return claimed.request_id
