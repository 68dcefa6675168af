"""`gov submit --file`: many requests from a file, a JSON object a line, that can be run again to go on."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from governance.cli import render
from governance.cli.asking import named
from governance.cli.commands import console
from governance.cli.exits import Exit, exit_of
from governance.cli.inputs import MAX_INPUT_BYTES, decoded
from governance.cli.session import Answer, Session
from governance.cli.submit import ask, code_of
from governance.cli.text import short, visible
from governance.domain.errors import (
    DirectoryUnavailableError,
    GovernanceError,
    InputError,
    OutcomeUnknownError,
    StoreUnavailableError,
)
from governance.domain.json_limits import parse_json

if TYPE_CHECKING:
    from governance.application import Governance
    from governance.outcome import Outcome

_SHOWN_REFUSALS = 50


@dataclass
class Report:
    """What became of the lines so far."""

    results: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    codes: set[Exit] = field(default_factory=set)
    stopped: str | None = None
    interrupted: bool = False

    def add(self, line: int, outcome: "Outcome", code: Exit, *, earlier: bool) -> dict[str, Any]:
        """Note what came of a line and return the note."""
        request = outcome.request
        told = {"line": line, "request_id": request.id, "status": str(request.status), "earlier": earlier}
        self.statuses["already there" if earlier else str(request.status)] += 1
        self.codes.add(code)
        self.results.append(told)
        if code in {Exit.REFUSED, Exit.CONFLICT, Exit.ERROR}:
            self.refused.append({**told, "rule": request.end_code or "", "message": request.ended_because or ""})
        return told

    def refuse(self, line: int, error: GovernanceError) -> dict[str, Any]:
        """Note that a line was refused and not stored, and return the note."""
        told = {"line": line, "rule": error.rule, "message": error.message, "ids": error.ids}
        self.statuses["refused"] += 1
        self.codes.add(exit_of(error))
        self.refused.append(told)
        return told

    @property
    def code(self) -> Exit:
        """Return how it ended: the one way in which lines were refused, 4 if there were several, 3 if any waits."""
        if self.stopped is not None:
            return Exit.INTERRUPTED if self.interrupted else Exit.ERROR
        refusals = self.codes - {Exit.DONE, Exit.PENDING}
        if refusals:
            return refusals.pop() if len(refusals) == 1 else Exit.REFUSED
        return Exit.PENDING if Exit.PENDING in self.codes else Exit.DONE


@dataclass(frozen=True)
class Mode:
    """What holds for every line: what to take where a line does not say, and what to do with it."""

    defaults: Mapping[str, Any]
    prefix: str | None
    run: bool
    dry_run: bool


def submit_file(
    session: Session, name: str, defaults: dict[str, Any], *, prefix: str | None, run: bool, dry_run: bool
) -> Answer:
    """Submit every line of a file and report what was refused and why; InputError if the file cannot be read."""
    given = {key: value for key, value in defaults.items() if value is not None}
    mode, report = Mode(given, prefix, run, dry_run), Report()
    with (
        session.governed(create=True) as governance,
        _opened(name) as (file, size),
        _progress(size, session, report) as tell,
    ):
        _until_interrupted(governance, file, mode, report, tell)
    if not (report.results or report.refused or report.stopped):
        msg = f"file: {name} holds no request"
        raise InputError(msg, field="file")
    return Answer(_document(report), lambda: _view(report), report.code)


Tell = Callable[[dict[str, Any], int], None]


def _until_interrupted(governance: "Governance", file: IO[bytes], mode: Mode, report: Report, tell: Tell) -> None:
    try:
        _submit_all(governance, file, mode, report, tell)
    except KeyboardInterrupt:
        report.stopped, report.interrupted = "interrupted", True


def _submit_all(governance: "Governance", file: IO[bytes], mode: Mode, report: Report, tell: Tell) -> None:
    head, seen = governance.log.head(), Counter[str]()
    for number, raw in _lines(file):
        if not raw.strip():
            continue
        try:
            asked = _asked(raw, mode, seen)
            outcome = ask(governance, asked, run=mode.run, dry_run=mode.dry_run)
        except (StoreUnavailableError, OutcomeUnknownError, DirectoryUnavailableError) as error:
            report.stopped = f"stopped before line {number}: {error.message}"
            return
        except GovernanceError as error:
            tell(report.refuse(number, error), len(raw))
        else:
            position = outcome.request.position
            earlier = not mode.dry_run and position is not None and position <= head
            tell(report.add(number, outcome, code_of(outcome, run=mode.run), earlier=earlier), len(raw))


def _asked(raw: bytes, mode: Mode, seen: Counter[str]) -> dict[str, Any]:
    digest = sha256(raw.strip()).hexdigest()
    seen[digest] += 1
    line = parse_json(decoded(raw, "line"), field="line")
    if not isinstance(line, dict):
        msg = f"line: must be a JSON object, and is a {type(line).__name__}"
        raise InputError(msg, field="line")
    asked = {**mode.defaults, **named(line)}
    own = asked.get("key")
    if own is None:
        own = f"line-{digest}-{seen[digest]}"
    asked["key"] = f"{mode.prefix}:{own}" if mode.prefix else own
    return asked


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    number = 0
    while raw := file.readline(MAX_INPUT_BYTES + 2):
        number += 1
        yield number, raw
        while raw and not raw.endswith(b"\n"):
            raw = file.readline(MAX_INPUT_BYTES)  # the rest of a line that is too long


@contextmanager
def _opened(name: str) -> Iterator[tuple[IO[bytes], int | None]]:
    if name == "-":
        yield sys.stdin.buffer, None
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 — closed below; errors of the lines are not those of opening
    except (OSError, ValueError) as error:
        msg = f"file: cannot read {name!r}: {getattr(error, 'strerror', None) or error}"
        raise InputError(msg, field="file") from None
    with file:
        yield file, Path(name).stat().st_size


@contextmanager
def _progress(size: int | None, session: Session, report: Report) -> Iterator[Tell]:
    """Give what tells of a line: a bar on a terminal, plain lines elsewhere, nothing when JSON is wanted."""
    if session.as_json:
        yield lambda note, length: None
    elif sys.stdout.isatty() and sys.stderr.isatty():
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console(stderr=True), transient=True) as bar:
            task = bar.add_task("submitting", total=size)
            yield lambda note, length: bar.update(task, advance=length, description=_counts(report))
    else:
        yield lambda note, length: print(_plain(note), flush=True)


def _plain(note: dict[str, Any]) -> str:
    if "message" in note:
        return f"line {note['line']}: refused ({note['rule']}): {visible(note['message'])}"
    return f"line {note['line']}: {note['status']} {note['request_id']}{' (already there)' if note['earlier'] else ''}"


def _counts(report: Report) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(report.statuses.items())) or "nothing"


def _document(report: Report) -> dict[str, Any]:
    lines = {"results": report.results, "refused": report.refused}
    return {"counts": dict(report.statuses), "stopped": report.stopped, **lines}


def _view(report: Report) -> RenderableType:
    parts: list[RenderableType] = [Text(_counts(report), style="bold")]
    if report.refused:
        parts.append(render.heading("Refused"))
        parts.append(render.indented(render.grid(map(_refusal, report.refused[:_SHOWN_REFUSALS]))))
        left = len(report.refused) - _SHOWN_REFUSALS
        parts += [render.indented(Text(f"… and {left:,} more (--json shows all)"))] if left > 0 else []
    if report.stopped:
        parts.append(Text(f"\n{visible(report.stopped)}", style="bold red"))
        parts.append(Text("Run the same command again to go on; what is stored is not stored twice.", style="dim"))
    return Group(*parts)


def _refusal(note: dict[str, Any]) -> tuple[Text, ...]:
    request = short(note["request_id"]) if "request_id" in note else "not stored"
    cells = (f"line {note['line']}", request, note["rule"])
    return *(Text(visible(cell)) for cell in cells), Text(visible(note["message"]), style="red")
