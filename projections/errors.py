"""Why a projection or a query was refused: each error names its rule and carries the ids it speaks of."""

from governance.domain.errors import GovernanceError


class ProjectionError(GovernanceError):
    """A view cannot be read, advanced or rebuilt as asked."""

    rule = "projection"


class UnknownViewError(ProjectionError):
    """No view has this name."""

    rule = "unknown-view"


class ViewNotBuiltError(ProjectionError):
    """The view has not been built from the log yet, so there is nothing that could be read."""

    rule = "view-not-built"


class ViewOutdatedError(ProjectionError):
    """The rows were written by an older definition of the view; it has to be rebuilt."""

    rule = "view-outdated"


class NewerViewError(ProjectionError):
    """The rows were written by a newer program than this one."""

    rule = "view-newer"


class LogMismatchError(ProjectionError):
    """The view stands at a position that the log does not have, or has another event at: the log was restored."""

    rule = "log-mismatch"


class ViewBusyError(ProjectionError):
    """Somebody else is working on the view."""

    rule = "view-busy"


class LostRaceError(ProjectionError):
    """The checkpoint was moved by somebody else; nothing of this batch was stored."""

    rule = "checkpoint-moved"


class WaitTimeoutError(ProjectionError):
    """The views did not reach the position in time."""

    rule = "wait-timeout"


class RowsRefusedError(ProjectionError):
    """The database does not take the rows of a batch: a value in them is not one that it can keep."""

    rule = "rows-refused"
