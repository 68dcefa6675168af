"""How a verification looks to people while it runs and when it is done, and how it is taken up again."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from governance.cli import render
from governance.cli.audit_opening import Audited
from governance.cli.commands import console
from governance.cli.session import Session
from governance.cli.text import visible
from governance.domain.errors import InputError

if TYPE_CHECKING:
    from governance.audit.receipts import Checked
    from governance.audit.verifying import Progress, Report
    from governance.audit.workers import Workers

Tell = Callable[[str, int, int], None]
_SHOWN = 20


@contextmanager
def watched(session: Session) -> Iterator[Tell]:
    """Give what tells of progress: a bar on a terminal, nothing elsewhere."""
    if session.as_json or not sys.stderr.isatty():
        yield lambda stage, done, of: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading")
        yield lambda stage, done, of: bar.update(task, description=stage, completed=done, total=of)


def resumed(file: str | None, begin: "Callable[[], Progress]") -> "tuple[Progress, Callable[[Progress], None]]":
    """Return where to begin and how to keep the progress; InputError for progress of another verification."""
    from governance.audit.keys import replace_file
    from governance.audit.verifying import Progress

    fresh = begin()
    if file is None:
        return fresh, lambda progress: None
    path = Path(file)
    progress = fresh
    if path.exists():
        try:
            progress = Progress.read(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            msg = f"resume: {file} does not hold the progress of a verification: {error}"
            raise InputError(msg, field="resume") from None
        if (progress.anchors, progress.begun_at) != (fresh.anchors, fresh.begun_at) or progress.upto > fresh.upto:
            msg = f"resume: {file} is the progress of a verification with other checkpoints, or of another log"
            raise InputError(msg, field="resume")
    return progress, lambda each: replace_file(path, json.dumps(each.document()))


def workers_for(session: Session, store: Audited, jobs: int | None) -> "Workers | None":
    """Return the processes that share the work; None where one is enough."""
    from governance.audit.workers import Workers
    from governance.settings import Settings

    wanted = processes(store, jobs)
    return None if wanted == 1 else Workers(session.url, Settings().database_schema, wanted)


def processes(store: Audited, jobs: int | None) -> int:
    """Return in how many processes to work: as many as were asked for, else one per core if that is worth it."""
    from governance.audit.workers import EVENTS_AT_ONCE

    if jobs is None and store.rows.numbers().settled < 2 * EVENTS_AT_ONCE:
        return 1
    return jobs or os.cpu_count() or 1


def report_view(report: "Report") -> RenderableType:
    """Return a report for people: what holds, what is wrong and where first, and what is not proven."""
    wrong = report.problem_count
    head = Text(f"{wrong:,} problems" if wrong else "nothing is wrong", style="bold red" if wrong else "bold green")
    parts: list[RenderableType] = [
        head,
        render.grid((Text(name, style="dim"), Text(what)) for name, what in _facts(report)),
    ]
    if wrong:
        parts.append(render.heading("Wrong", f"first bad position: {_first(report)}"))
        rows = [(Text(_place(each)), Text(each.kind), Text(visible(each.message))) for each in report.problems[:_SHOWN]]
        parts.append(render.indented(render.grid(rows, titles=("position", "kind", "what"))))
        if wrong > _SHOWN:
            parts.append(Text(f"… and {wrong - _SHOWN:,} more (--json shows the first 100)", style="dim"))
    parts.append(render.heading("Not proven"))
    return Group(*parts, *(render.indented(Text(f"- {visible(each)}")) for each in report.not_proven))


def receipt_view(found: "Checked", *, trusted: bool) -> RenderableType:
    """Return what a receipt proves, for people."""
    if found.wrong:
        lines = [render.indented(Text(f"- {visible(each)}")) for each in found.wrong]
        return Group(Text("the receipt proves nothing:", style="bold red"), *lines)
    parts: list[RenderableType] = [Text("the receipt holds", style="bold green")]
    request, tree = found.request, found.checkpoint
    if request is not None and tree is not None:
        parts += [render.title(request), render.facts(request), _approvals(request)]
        parts.append(Text(f"in the tree of {tree.size:,} events of {visible(tree.origin)}"))
    by = ", ".join(visible(each) for each in found.signed_by)
    parts.append(Text(f"signed by {by}"))
    if not trusted:
        parts.append(Text("not proven: that this is the right key; compare it with one that you have from elsewhere"))
    return Group(*parts)


def _approvals(request: Any) -> RenderableType:
    seen = [
        ("policies", request.policy_set or "none"),
        ("evaluated", f"version {request.evaluated_version}, {request.evaluated_digest}"),
        ("content", request.digest),
        *(
            (f"quorum of {each.id}", f"{len(each.granted_by)} of {each.approval.quorum}")
            for each in request.requirements
            if each.is_approval
        ),
    ]
    facts = render.grid((Text(name, style="dim"), Text(visible(what))) for name, what in seen)
    rows = [
        tuple(
            Text(visible(each)) for each in (opened.id, vote.approver, vote.decision, vote.at.isoformat(), vote.digest)
        )
        for opened in request.requirements
        for vote in opened.votes
    ]
    if request.glass_break is not None:
        return Group(facts, Text(f"behind glass broken by {visible(request.glass_break.by.id)}"))
    if not rows:
        return Group(facts, Text("nobody had to approve" if not request.requirements else "nobody has decided"))
    return Group(facts, render.grid(rows, titles=("requirement", "who", "decision", "when", "exactly what")))


def _facts(report: "Report") -> Iterator[tuple[str, str]]:
    yield "events", f"{report.events:,} up to position {report.position:,}"
    yield "root", report.root
    yield "checkpoints", ", ".join(map(visible, report.holding)) or "none"
    yield "proven", f"{report.proven_size:,} events" if report.proven_size else "nothing"
    yield "kept tree", "compared" if report.kept_tree else "there is none to compare with"
    if report.meant is not None:
        yield "meaning", f"{report.meant:,} events in their streams"


def _first(report: "Report") -> str:
    first = report.first_bad_position
    return "none can be named" if first is None else f"{first:,}"


def _place(problem: Any) -> str:
    return "" if problem.position is None else f"{problem.position:,}"
