"""What becomes of an error: a line that says what was refused and why, what to do next, and an exit code."""

import json
import os
import sys
import traceback
from dataclasses import dataclass, field

import typer

from governance.cli.exits import Exit, exit_of
from governance.cli.text import document, visible
from governance.domain.errors import GovernanceError

_ERRORS_OF_TYPER = typer.BadParameter.__mro__[2]  # its public name differs between versions

_HEADS = {
    Exit.ERROR: "error",
    Exit.USAGE: "usage",
    Exit.PENDING: "still pending",
    Exit.REFUSED: "refused",
    Exit.CONFLICT: "conflict",
    Exit.UNPROVEN: "not as it was",
    Exit.INTERRUPTED: "interrupted",
}
_NEXT = {
    "unknown-mutation": "gov mutations shows what the application knows; is --app the right one?",
    "not-found": "gov list shows the requests of the store",
    "not-authorized": "roles and groups come behind the name: --as NAME:ROLE or --as NAME:group=GROUP",
    "self-approval": "somebody else has to decide; who asked can only cancel",
    "step-order": "gov show REQUEST shows whose turn it is",
    "already-decided": "gov withdraw REQUEST takes a decision back",
    "deadline": "gov expire REQUEST records it; then ask again with gov submit",
    "life-cycle": "gov why REQUEST shows how it stands",
    "executed-once": "gov compensate REQUEST puts it right, if that is what you want",
    "not-reversible": "give --mutation NAME --data JSON, or --restore",
    "stale": "look again (gov show, gov state), then decide again",
    "concurrency": "look again (gov show REQUEST), then decide again",
    "idempotency-key": "use another --key, or look at the request that has this one",
    "store-unavailable": "is the database at --url there and reachable? gov db status",
    "directory-unavailable": "try again when the directory of roles and groups answers",
    "outcome-unknown": "look (gov list) before you repeat it",
    "view-busy": "somebody else brings the view up to date; try again",
    "unknown-view": "gov projections list shows the views; those of your own are named with --views",
    "view-not-built": "gov projections run --once builds it; gov projections run keeps it up to date",
    "view-outdated": "gov projections rebuild VIEW builds it anew beside the old rows, and switches",
    "view-newer": "run the program that wrote it, or gov projections rebuild VIEW with this one",
    "log-mismatch": "if a backup was restored: gov projections rebuild builds the views from the log that there is",
    "approved-content": "somebody changed the store behind governance, or it is damaged; compare with a backup",
}

_LISTS = {
    "requirement": "gov show REQUEST shows its requirements",
    "calendar": "gov window list shows the calendars, gov window add makes one",
    "quota": "gov quota list shows the quotas, gov quota define makes one or changes it",
}


@dataclass(frozen=True)
class Problem:
    """What to tell of an error."""

    code: Exit
    rule: str
    message: str
    ids: dict[str, str] = field(default_factory=dict)
    next: str | None = None

    @property
    def data(self) -> dict[str, object]:
        """Return it for programs."""
        told = {"rule": self.rule, "message": self.message, "ids": self.ids, "exit_code": int(self.code)}
        return {"error": {**told, "next": self.next} if self.next else told}


def problem_of(error: BaseException) -> Problem:
    """Return what to tell of an error; one that nobody foresaw is named as such."""
    if isinstance(error, GovernanceError):
        following = getattr(error, "next", None) or _next(error)
        return Problem(exit_of(error), error.rule, error.message, error.ids, following)
    if isinstance(error, _ERRORS_OF_TYPER):
        return Problem(Exit.USAGE, "usage", _told_by_typer(error), next=_help(error))
    if isinstance(error, KeyboardInterrupt):
        return Problem(Exit.INTERRUPTED, "interrupted", "stopped; what was stored before stays stored")
    if type(error).__module__.startswith("pydantic") and type(error).__name__ == "ValidationError":
        return Problem(Exit.USAGE, "configuration", _of_settings(error), next="check the GOVERNANCE_… variables")
    if isinstance(error, OSError):
        return Problem(Exit.ERROR, "operating-system", f"{error.strerror or error}: {error.filename or ''}".strip(": "))
    told = f"unexpected {type(error).__name__}: {error}"
    return Problem(Exit.ERROR, "unexpected", told, next="GOVERNANCE_DEBUG=1 shows where")


def _next(error: GovernanceError) -> str | None:
    if "url" in error.ids:
        return None
    if error.rule == "not-found" and "state" in error.ids:
        return f"gov history --state {error.ids['state']} shows its versions"
    if error.rule in {"not-found", "configuration"} and _LISTS.keys() & error.ids:
        return next(told for name, told in _LISTS.items() if name in error.ids)
    if error.rule == "configuration" and "run the migrations" in error.message:
        return "gov db init brings the tables up to date"
    if error.rule == "configuration" and "there is no store" in error.message:
        return "gov db init makes one; --url (GOVERNANCE_URL) says where it is"
    return _NEXT.get(error.rule)


def tell(error: BaseException, *, as_json: bool) -> int:
    """Print what became of the error on standard error and return the exit code."""
    if os.environ.get("GOVERNANCE_DEBUG", "") not in {"", "0"}:
        traceback.print_exception(error)
    problem = problem_of(error)
    if as_json:
        sys.stderr.write(document(problem.data) + "\n")
    else:
        _print(problem)
    return int(problem.code)


def _print(problem: Problem) -> None:
    from rich.console import Group
    from rich.text import Text

    from governance.cli.commands import print_view

    style = "bold yellow" if problem.code in {Exit.PENDING, Exit.CONFLICT} else "bold red"
    rule = "" if problem.rule in {"usage", "interrupted", "still-pending"} else f" ({problem.rule})"
    head = Text.assemble((f"{_HEADS[problem.code]}{rule}: ", style), visible(problem.message, limit=2000))
    following = [Text(f"next: {visible(problem.next)}", style="dim")] if problem.next else []
    print_view(Group(head, *following), stderr=True)


def _told_by_typer(error: BaseException) -> str:
    format_message = getattr(error, "format_message", None)
    return str(format_message()) if format_message is not None else str(error)


def _help(error: BaseException) -> str | None:
    context = getattr(error, "ctx", None)
    return f"{context.command_path} --help" if context is not None else None


def _of_settings(error: BaseException) -> str:
    first = json.loads(error.json(include_url=False, include_input=False))[0]  # type: ignore[attr-defined]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
