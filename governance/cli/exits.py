"""Exit codes: what a script needs to know of how a command ended."""

from enum import IntEnum

from governance.domain.errors import (
    AlreadyExecutedError,
    ConcurrencyError,
    ConfigurationError,
    DigestMismatchError,
    DirectoryUnavailableError,
    GovernanceError,
    IdempotencyConflictError,
    InputError,
    NotFoundError,
    OutcomeUnknownError,
    StaleError,
    StoreUnavailableError,
    TamperedError,
    UnknownEventError,
    UnknownMutationError,
    UnreadableEventError,
    UnreadableStateError,
)
from projections.errors import ProjectionError


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    PENDING = 3
    REFUSED = 4
    CONFLICT = 5
    UNPROVEN = 6
    INTERRUPTED = 130


class StillPendingError(GovernanceError):
    """The request was to be executed, and waits for somebody."""

    rule = "still-pending"
    next: str | None = None


# The first that fits counts: an execution that happened before is a rule, not a race that one could win next time.
_EXITS: tuple[tuple[tuple[type[GovernanceError], ...], Exit], ...] = (
    ((AlreadyExecutedError,), Exit.REFUSED),
    ((StillPendingError,), Exit.PENDING),
    ((ConcurrencyError, StaleError, IdempotencyConflictError), Exit.CONFLICT),
    ((TamperedError,), Exit.UNPROVEN),
    ((InputError, ConfigurationError, UnknownMutationError), Exit.USAGE),
    (
        (
            NotFoundError,
            StoreUnavailableError,
            OutcomeUnknownError,
            DirectoryUnavailableError,
            UnknownEventError,
            UnreadableEventError,
            UnreadableStateError,
            DigestMismatchError,
            ProjectionError,
        ),
        Exit.ERROR,
    ),
    ((GovernanceError,), Exit.REFUSED),
)


def exit_of(error: GovernanceError) -> Exit:
    """Return the exit code for a refusal."""
    return next(code for kinds, code in _EXITS if isinstance(error, kinds))
