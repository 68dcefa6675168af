"""A request as text and back: what a snapshot of it holds, which is all but the earlier lines of its story."""

from collections.abc import Callable, Iterable
from typing import Final

from governance.domain.request import MutationRequest
from governance.domain.story import Decision, Earlier, Story

LAST_LINES: Final = 10
"""So many lines of the story are kept, for most questions are about the last ones."""


def snapshot_of(request: MutationRequest) -> str:
    """Return the request as JSON, with the last lines of its story only."""
    return request.model_copy(update={"decisions": request.decisions[-LAST_LINES:]}).model_dump_json()


def request_from(snapshot: str | bytes, read: Callable[[int], Iterable[Decision]]) -> MutationRequest:
    """Return the request; `read` gives as many of the first lines of its story as it is asked for, once it is needed.

    ValueError for what is not a snapshot.
    """
    request = MutationRequest.model_validate_json(snapshot)
    later, count = tuple(request.decisions), request.version - len(request.decisions)
    if count < 0 or [each.version for each in later] != list(range(count + 1, request.version + 1)):
        msg = f"the story does not end with version {request.version}"
        raise ValueError(msg)
    return request.model_copy(update={"decisions": Story(Earlier(count, lambda: read(count)), later)})
