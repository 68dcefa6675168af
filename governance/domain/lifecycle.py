"""The table of legal transitions, and which command is for which status: nothing bypasses it."""

from enum import StrEnum
from typing import Final

from governance.domain.errors import AlreadyExecutedError, InvalidTransitionError


class Status(StrEnum):
    """Where a request stands in its life cycle."""

    PENDING = "pending"
    APPROVED = "approved"
    EXECUTED = "executed"
    COMPENSATED = "compensated"
    REJECTED = "rejected"
    CANCELED = "canceled"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    FAILED = "failed"


OPEN: Final = frozenset({Status.PENDING, Status.APPROVED})
"""Statuses of requests that can still run."""

LEGAL: Final[dict[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset(
        {Status.APPROVED, Status.REJECTED, Status.CANCELED, Status.EXPIRED, Status.SUPERSEDED},
    ),
    Status.APPROVED: frozenset(
        {
            Status.PENDING,
            Status.EXECUTED,
            Status.FAILED,
            Status.REJECTED,
            Status.CANCELED,
            Status.EXPIRED,
            Status.SUPERSEDED,
        },
    ),
    Status.EXECUTED: frozenset({Status.COMPENSATED}),
    Status.COMPENSATED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.CANCELED: frozenset(),
    Status.EXPIRED: frozenset(),
    Status.SUPERSEDED: frozenset(),
    Status.FAILED: frozenset(),
}
"""From each status, the statuses that may follow."""

COMMANDS: Final[dict[str, frozenset[Status]]] = {
    "approve": frozenset({Status.PENDING}),
    "reject": frozenset({Status.PENDING}),
    "withdraw": frozenset({Status.PENDING}),
    "delegate": frozenset({Status.PENDING}),
    "reassign": frozenset({Status.PENDING}),
    "break glass": frozenset({Status.PENDING}),
    "review": frozenset(Status),
    "comment": frozenset(Status),
    "cancel": OPEN,
    "expire": OPEN,
    "supersede": OPEN,
    "replace": OPEN,
    "execute": frozenset({Status.APPROVED}),
    "compensate": frozenset({Status.EXECUTED}),
    "release": frozenset({Status.PENDING}),
    "record check": frozenset({Status.PENDING}),
    "override window": OPEN,
    "deliver effect": frozenset({Status.EXECUTED, Status.COMPENSATED}),
    "retry effect": frozenset({Status.EXECUTED, Status.COMPENSATED}),
    "drop effect": frozenset({Status.EXECUTED, Status.COMPENSATED}),
}
"""For each command, the statuses in which it may be given."""


def check_command(command: str, status: Status, request_id: str) -> None:
    """Refuse a command that the status does not allow: InvalidTransitionError names request, status and command."""
    if status in COMMANDS[command]:
        return
    if command == "execute" and status in {Status.EXECUTED, Status.COMPENSATED}:
        msg = f"request {request_id} has been executed already"
        raise AlreadyExecutedError(msg, request=request_id, status=status, command=command)
    allowed = " or ".join(sorted(COMMANDS[command]))
    msg = f"request {request_id} is {status}; {command} needs one that is {allowed}"
    raise InvalidTransitionError(msg, request=request_id, status=status, command=command)


def check_transition(before: Status, after: Status, request_id: str) -> None:
    """Refuse a step that is not in the table of legal transitions."""
    if after is not before and after not in LEGAL[before]:
        msg = f"request {request_id} cannot go from {before} to {after}"
        raise InvalidTransitionError(msg, request=request_id, status=before, target=after)
