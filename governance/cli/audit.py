"""`gov audit replay`, `timeline` and `check`: what happened, rebuilt from events alone."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli.audit_opening import audited, full_request_id
from governance.cli.commands import command
from governance.cli.exits import Exit
from governance.cli.session import Answer, Session
from governance.domain.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.audit.replay import Point, Replay, Step, Wanted
    from governance.domain.quotas import Quota

app = typer.Typer(
    help="Replay, prove and export what happened.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
)

_HEX = frozenset("0123456789abcdef-…")
Request = Annotated[
    str | None, typer.Argument(metavar="[REQUEST]", help="The id of a request, or its last 4 or more characters.")
]
Subject = Annotated[
    str | None, typer.Argument(metavar="[REQUEST|STATE]", help="A request, by id or its ending; or the id of a state.")
]
OfQuota = Annotated[str | None, typer.Option("--quota", metavar="KEY", help="This quota.")]
OfState = Annotated[str | None, typer.Option("--state", metavar="ID", help="This state.")]
Version = Annotated[int | None, typer.Option("--version", metavar="N", min=1, help="Up to this version.")]
Position = Annotated[int | None, typer.Option("--position", metavar="N", min=0, help="Up to this position.")]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="Up to this time: ISO 8601 with its zone.")]
Stepwise = Annotated[bool, typer.Option("--step", help="Every event with the difference it made.", show_default=False)]
Stream = Annotated[list[str] | None, typer.Option("--stream", metavar="NAME", help="Events of this stream.")]
Category = Annotated[list[str] | None, typer.Option("--category", metavar="NAME", help="Of streams of this category.")]
Type = Annotated[list[str] | None, typer.Option("--type", metavar="NAME", help="Of this type, as in Executed.")]
By = Annotated[list[str] | None, typer.Option("--actor", metavar="NAME", help="By, or on behalf of, this actor.")]
Mutation = Annotated[list[str] | None, typer.Option("--mutation", metavar="NAME", help="About such a mutation.")]
Correlation = Annotated[list[str] | None, typer.Option("--correlation", metavar="ID", help="With this correlation id.")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="At this time or later.")]
After = Annotated[int, typer.Option("--after", metavar="N", min=0, help="Behind this position.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="At most so many.")]
Jobs = Annotated[
    int | None, typer.Option("--jobs", metavar="N", min=1, help="In so many processes. (default: one per core)")
]
Html = Annotated[
    str | None, typer.Option("--html", metavar="FILE", help="Write one self-contained HTML page there instead.")
]


@command(app, "replay")
def replay(
    session: Session,
    request: Request = None,
    state: OfState = None,
    quota: OfQuota = None,
    version: Version = None,
    position: Position = None,
    at: At = None,
    step: Stepwise = False,
    stream: Stream = None,
    category: Category = None,
    type_: Type = None,
    actor: By = None,
    mutation: Mutation = None,
    correlation: Correlation = None,
    since: Since = None,
    after: After = 0,
    limit: Limit = 1000,
) -> Answer:
    """Rebuild a request, a state or a quota, or list events of all streams, from events alone.

    Without REQUEST, --state and --quota it lists the events that all filters let through; --at and --position end it.
    """
    from governance.audit.replay import Point, Wanted
    from governance.cli.inputs import moment
    from governance.event_store.registry import EVENTS
    from governance.streams import CATEGORIES

    until = moment(at, field="at")
    subject = _subject(session, request, state, quota)
    if subject is not None:
        return _replayed(session, subject, Point(version, position, until), step=step)
    wanted = Wanted(
        streams=tuple(stream or ()),
        categories=_known(category, CATEGORIES, "category"),
        types=_known(type_, EVENTS, "type"),
        actors=tuple(actor or ()),
        mutations=tuple(mutation or ()),
        correlations=tuple(correlation or ()),
        since=moment(since, field="since"),
        until=until,
        after=after,
        upto=position,
    )
    return _listed(session, wanted, limit)


@command(app, "timeline")
def timeline(session: Session, subject: Subject = None, state: OfState = None, html: Html = None) -> Answer:
    """Tell the story of a request or a state: who, what, when, for whom, what they had seen, and what changed."""
    from governance.audit.replay import Replay
    from governance.cli.audit_story import entries, page, view

    stream = _subject(session, subject, state) or _missing()
    with audited(session) as store:
        steps = store.vault.opened(list(Replay(store.rows).steps(stream)))
    if not steps:
        _missing(stream)
    told = entries(steps)
    data: dict[str, Any] = {"stream": stream, "entries": told}
    if html is not None:
        Path(html).write_text(page(stream, told), encoding="utf-8")
        return Answer({"file": html, **data}, lambda: _line(f"written to {html}: {len(told)} events"))
    return Answer(data, lambda: view(stream, told))


@command(app, "check")
def check(session: Session, jobs: Jobs = None) -> Answer:
    """Compute every request again from its events and compare it with the view; exits with 6 if they differ."""
    from governance.cli.audit_checking import compared
    from governance.cli.audit_watching import processes

    with audited(session) as store:
        data = compared(session, store.rows, processes(store, jobs))
    code = Exit.UNPROVEN if data["differences"] else Exit.DONE
    return Answer(data, lambda: _differences(data), code)


def _subject(session: Session, given: str | None, state: str | None, quota: str | None = None) -> str | None:
    from governance.streams import quota_stream, request_stream, state_stream

    if sum(each is not None for each in (given, state, quota)) > 1:
        msg = "request_id: give one of a request, --state ID and --quota KEY"
        raise InputError(msg, field="request_id")
    if state is not None:
        return state_stream(state)
    if quota is not None:
        return quota_stream(quota)
    if given is None:
        return None
    if set(given.lower()) <= _HEX:
        return request_stream(full_request_id(session, given))
    return state_stream(given)


def _missing(stream: str | None = None) -> str:
    msg = f"stream: {stream} has no events" if stream else "request_id: give a request, or the id of a state"
    raise InputError(msg, field="request_id")


def _replayed(session: Session, stream: str, point: "Point", *, step: bool) -> Answer:
    from governance.audit.replay import Replay
    from governance.streams import QUOTA, REQUEST, category, stream_id

    with audited(session) as store:
        found = Replay(store.rows)
        _check_there(found, stream, point)
        if step:
            steps = store.vault.opened(list(found.steps(stream, point)))
            return Answer({"stream": stream, "steps": [_step(each) for each in steps]}, lambda: _stepwise(steps))
        if category(stream) == REQUEST:
            return _request(store.vault.opened(found.request(stream_id(stream), point)))
        if category(stream) == QUOTA:
            return _quota(found.quota(stream_id(stream), point))
        state = store.vault.opened(found.state(stream_id(stream), point))
    return Answer(state.model_dump(mode="json"), lambda: _value(state))


def _known(given: list[str] | None, names: Iterable[str], field: str) -> tuple[str, ...]:
    for each in given or ():
        if each not in names:
            msg = f"{field}: {each!r} is none of {', '.join(sorted(names))}"
            raise InputError(msg, field=field)
    return tuple(given or ())


def _check_there(found: "Replay", stream: str, point: "Point") -> None:
    """Refuse what never was, so that a mistyped name is not taken for something that did not exist yet."""
    last = found.last_version(stream)
    if last == 0:
        msg = f"{stream} has no events"
        raise NotFoundError(msg, stream=stream)
    if point.version is not None and point.version > last:
        msg = f"{stream} has no version {point.version}, its last is {last}"
        raise NotFoundError(msg, stream=stream, version=point.version)


def _quota(quota: "Quota") -> Answer:
    from governance.cli.text import visible

    rule = quota.defined
    size = f"{rule.limit:,} tokens per {rule.per}, {rule.window}" if rule else "not defined by itself"
    held = [f"  {each.at:%Y-%m-%d %H:%M:%S}  {each.tokens:,} by {each.request_id}" for each in quota.reservations]
    head = f"{visible(quota.key)} at version {quota.version}: {size}; {len(held):,} reservations"
    return Answer(quota.model_dump(mode="json"), lambda: _line("\n".join([head, *held])))


def _request(request: Any) -> Answer:
    from governance.cli.documents import request_document

    return Answer(request_document(request), lambda: _shown(request))


def _listed(session: Session, wanted: "Wanted", limit: int) -> Answer:
    from itertools import islice

    from governance.audit.replay import Replay
    from governance.cli.timeline import entry, timeline

    with audited(session) as store:
        found = store.vault.opened(list(islice(Replay(store.rows).events(wanted), limit)))
    following = found[-1].position if len(found) == limit else None
    data = {"events": [entry(each) for each in found], "next": following}
    return Answer(data, lambda: timeline(found) if found else _line("No event matches."))


def _step(step: "Step") -> dict[str, Any]:
    from governance.cli.timeline import entry

    return {"event": entry(step.recorded), "changes": [each.model_dump(mode="json") for each in step.changes]}


def _stepwise(steps: "list[Step]") -> "RenderableType":
    from rich.console import Group

    from governance.cli import render
    from governance.cli.timeline import timeline

    parts: list[RenderableType] = []
    for each in steps:
        parts += [timeline([each.recorded]), render.indented(render.changes(each.changes))]
    return Group(*parts)


def _shown(request: Any) -> "RenderableType":
    from rich.console import Group

    from governance.cli import render

    standing = f"as it was at version {request.version}, position {request.position}"
    return Group(render.title(request), _line(standing), render.facts(request), render.changes(request.change_set))


def _value(state: Any) -> "RenderableType":
    from rich.console import Group

    from governance.cli import render
    from governance.cli.text import visible

    if state.version == 0:
        return _line(f"{visible(state.id)} did not exist")
    head = f"{visible(state.id)} at version {state.version}, position {state.position}, by request {state.request_id}"
    return Group(_line(head), render.value(state.value))


def _differences(data: dict[str, Any]) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from governance.cli import render
    from governance.cli.text import compact, visible

    head = f"{data['requests']:,} requests computed again up to position {data['position']:,}"
    if not data["differences"]:
        return _line(f"{head}: the view says the same")
    titles = ("request", "field", "by its events", "in the view")
    rows = [
        (Text(visible(each["request_id"])), Text(each["field"]), Text(compact(each["events"])),
         Text(compact(each["view"])))
        for each in data["differences"]
    ]  # fmt: skip
    return Group(_line(f"{head}: {data['difference_count']:,} differences"), render.grid(rows, titles=titles))


def _line(text: str) -> "RenderableType":
    from rich.text import Text

    return Text(text)
