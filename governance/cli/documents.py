"""What `--json` shows: the public values as they are, with what is computed from them."""

from typing import Any

from governance.domain.request import MutationRequest
from governance.outcome import Outcome


def request_document(request: MutationRequest) -> dict[str, Any]:
    """Return a request with its digest and what it still waits for."""
    open_requirements = [
        {"id": each.id, "kind": each.asked.kind, "missing": each.missing, "digest": each.digest}
        for each in request.open_requirements
    ]
    return {
        **request.model_dump(mode="json"),
        "digest": request.digest,
        "pending_reasons": list(request.pending_reasons),
        "open_requirements": open_requirements,
    }


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome, its request with all of the above."""
    return {**outcome.model_dump(mode="json", exclude={"request"}), "request": request_document(outcome.request)}
