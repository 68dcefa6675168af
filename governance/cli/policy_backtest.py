"""What `gov policy backtest` finds out, and how it looks."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Group, RenderableType
from rich.text import Text

from governance.backtest import Backtest, Comparison, Selection
from governance.cli import render
from governance.cli.commands import console
from governance.cli.session import Session
from governance.cli.text import short, visible
from governance.declarative.documents import SUFFIXES
from governance.directory import DirectoryLookup
from governance.directory_static import StaticDirectory
from governance.domain.errors import ConfigurationError
from governance.domain.policies import AnyMutation, Policy
from governance.judgement import Judgement, demanded

if TYPE_CHECKING:
    from governance.application import Governance

MAX_LISTED = 10_000
"""How many requests of each kind are told of one by one; all are counted."""
MAX_SHOWN = 50

Report = dict[str, Any]


def backtested(
    session: Session, policies: Sequence[str], selection: Selection, directory: str | None
) -> dict[str, Any]:
    """Return what the policies would have decided otherwise about the requests of the store."""
    lookup = DirectoryLookup(StaticDirectory.from_file(directory)) if directory is not None else None
    try:
        with session.governed() as governance:
            mutations = tuple(governance.catalog.mutations.values())
            tried = [each for spec in policies for each in _policies(spec, mutations)]
            test = Backtest(
                governance.log,
                governance.catalog,
                tried if policies else governance.policies.policies,
                settings=governance.settings,
                directory=lookup,
            )
            try:
                with _progress(session, governance) as tell:
                    return _report(test, selection, tell)
            finally:
                test.close()
    finally:
        if lookup is not None:
            lookup.close()


def _report(test: Backtest, selection: Selection, tell: Callable[[int], None]) -> Report:
    counts: Counter[str] = Counter()
    turns: Counter[str] = Counter()
    listed: dict[str, list[dict[str, Any]]] = {"changed": [], "unsatisfiable": [], "problems": []}
    for each in test.compare(selection):
        counts["considered"] += 1
        if each.changed and each.then is not None and each.now is not None:
            turns[f"{each.then.decision} → {each.now.decision}"] += 1
        for kind in _kinds(each):
            counts[kind] += 1
            if len(listed[kind]) < MAX_LISTED:
                listed[kind].append(_told(each))
        tell(each.position)
    return {
        "policy_set": test.policy_set,
        "considered": counts["considered"],
        "same": counts["considered"] - counts["changed"] - counts["problems"],
        **{kind: counts[kind] for kind in listed},
        "turns": dict(turns.most_common()),
        "requests": listed,
    }


def _kinds(each: Comparison) -> Iterator[str]:
    if each.problem is not None:
        yield "problems"
    if each.changed:
        yield "changed"
    if each.unsatisfiable:
        yield "unsatisfiable"


def _told(each: Comparison) -> dict[str, Any]:
    then, now = each.then, each.now
    before = then.requirements if then is not None else ()
    after = now.requirements if now is not None else ()
    return {
        "request_id": each.request_id,
        "created_at": each.created_at.isoformat(),
        "mutation": each.mutation,
        "state_id": each.state_id,
        "state_version": each.state_version,
        "then": _judged(then),
        "now": _judged(now),
        "requirements_added": [each.model_dump(mode="json") for each in _besides(after, before)],
        "requirements_dropped": [each.model_dump(mode="json") for each in _besides(before, after)],
        "unsatisfiable": list(each.unsatisfiable),
        "problem": each.problem,
    }


def _besides(some: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    known = demanded(others)
    return [each for each in some if not demanded([each]) <= known]


def _judged(judged: Judgement | None) -> dict[str, Any] | None:
    if judged is None:
        return None
    told = {"decision": judged.decision, "reason": judged.reason, "policies": list(judged.policies)}
    return {**told, "codes": list(judged.codes), "mutation": judged.mutation.model_dump(mode="json")}


def _policies(spec: str, mutations: Iterable[type[AnyMutation]]) -> Sequence[Policy]:
    if Path(spec).suffix.lower() in SUFFIXES:
        from governance.declarative.loading import load_policies

        return load_policies(spec, mutations=mutations)
    module, _, attribute = spec.partition(":")
    if not module or not attribute:
        _refuse(spec, f"write it as module:attribute, or as a file that ends in {', '.join(SUFFIXES)}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(import_module(module), attribute)
        if isinstance(found, Policy):
            return (found,)
        given = found() if callable(found) else found
        return tuple(getattr(given, "policies", given))
    except ConfigurationError:
        raise
    except Exception as error:
        _refuse(spec, f"it cannot be loaded: {type(error).__name__}: {error}")


def _refuse(spec: str, why: str) -> NoReturn:
    msg = f"--policies {spec}: {why}"
    raise ConfigurationError(msg, policies=spec)


@contextmanager
def _progress(session: Session, governance: "Governance") -> Iterator[Callable[[int], None]]:
    """Give what tells of the position reached: a bar on a terminal, nothing elsewhere."""
    if session.as_json or not sys.stderr.isatty():
        yield lambda position: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("judging again", markup=False), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=max(1, governance.log.head()))
        yield lambda position: bar.update(task, completed=position)


def backtest_view(report: Mapping[str, Any]) -> RenderableType:
    """Return how many would have been decided otherwise, and which."""
    count = report["considered"]
    head = f"{count:,} {'request' if count == 1 else 'requests'}: {report['changed']:,} would be decided otherwise"
    parts: list[RenderableType] = [Text(head, style="bold yellow" if report["changed"] else "bold green")]
    parts += [render.indented(Text(f"{turn}  {number:,}")) for turn, number in report["turns"].items()]
    rows = {"changed": _changed, "unsatisfiable": _unsatisfiable, "problems": _problem}
    titles = {"changed": "Decided otherwise", "unsatisfiable": "Nobody could satisfy", "problems": "Not judged again"}
    for kind, row in rows.items():
        found = report["requests"][kind]
        if found:
            left = report[kind] - min(len(found), MAX_SHOWN)
            parts.append(render.heading(titles[kind], f"{report[kind]:,}"))
            parts.append(render.indented(render.grid(map(row, found[:MAX_SHOWN]))))
            parts += [render.indented(Text(f"… and {left:,} more (--json shows more)", style="dim"))] if left else []
    return Group(*parts)


def _about(told: Mapping[str, Any]) -> tuple[Text, ...]:
    what = f"{visible(told['mutation'], limit=60)} on {visible(told['state_id'], limit=60)}"
    return Text(short(told["request_id"])), Text(told["created_at"][:10], style="dim"), Text(what)


def _changed(told: Mapping[str, Any]) -> tuple[Text, ...]:
    then, now = told["then"], told["now"]
    turn = f"{then['decision']} → {now['decision']}"
    by = ", ".join(map(visible, now["policies"] or then["policies"]))
    added = [f"+ {_name(each)}" for each in told["requirements_added"]]
    dropped = [f"- {_name(each)}" for each in told["requirements_dropped"]]
    return *_about(told), Text(turn, style="yellow"), Text(by), Text("\n".join((*added, *dropped)))


def _name(requirement: Mapping[str, Any]) -> str:
    who = " or ".join(f"{a['kind']} {visible(a['id'], limit=60)}" for a in requirement["approvers"])
    return f"{requirement['quorum']} of {who}"


def _unsatisfiable(told: Mapping[str, Any]) -> tuple[Text, ...]:
    return *_about(told), Text("\n".join(visible(each) for each in told["unsatisfiable"]), style="red")


def _problem(told: Mapping[str, Any]) -> tuple[Text, ...]:
    return *_about(told), Text(visible(told["problem"]), style="red")
