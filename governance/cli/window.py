"""`gov window`: calendars of change windows and freezes, and letting a request out of its window."""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli import options
from governance.cli.commands import command
from governance.cli.decide import decided
from governance.cli.session import Answer, Session
from governance.domain.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.calendars.calendar import Calendar
    from governance.domain.calendar_events import Span

app = typer.Typer(
    help="Calendars: when changes may run, and when nothing may.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
)

Name = Annotated[str, typer.Argument(metavar="CALENDAR", help="The calendar's name; for freezes also all: everything.")]
Zone = Annotated[str, typer.Option("--zone", metavar="ZONE", help="IANA time zone of the openings and days.")]
Open = Annotated[
    list[str] | None,
    typer.Option(
        "--open", metavar="CRON for TIME", help='When it opens, for how long: "30 2 * * * for 2h". Repeatable.'
    ),
]
Closed = Annotated[
    list[str] | None, typer.Option("--closed-on", metavar="DATE", help="A day on which nothing opens. Repeatable.")
]
Also = Annotated[
    list[str] | None,
    typer.Option("--also-open", metavar="FROM/UNTIL", help="Also open then, even on a closed day. Repeatable."),
]
Told = Annotated[str, typer.Option("--description", metavar="TEXT", help="What it is for.")]
From = Annotated[str | None, typer.Option("--from", metavar="TIME", help="ISO 8601 with its zone. (default: now)")]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="ISO 8601 with its zone. (default: until it is lifted)")
]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]
Count = Annotated[int, typer.Option("--count", metavar="N", min=1, max=100, help="How many.")]
Freeze = Annotated[str, typer.Argument(metavar="FREEZE", help="The id of the freeze, as gov window list shows it.")]
_LASTING = re.compile(r"(\d+)\s*([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@command(app, "list")
def listed(session: Session) -> Answer:
    """List the calendars, with their openings and freezes."""
    with session.store() as governance:
        found = governance.calendars.all()
    return Answer({"calendars": [each.model_dump(mode="json") for each in found]}, lambda: _table(found))


@command(app, "next")
def following(session: Session, name: Name, begins: From = None, count: Count = 5) -> Answer:
    """Show when a calendar opens next, freezes considered."""
    from governance.cli.inputs import moment

    with session.store() as governance:
        calendar = governance.calendars.get(name)
        spans = calendar.windows(moment(begins, field="from") or governance.calendars.now(), count)
    data = {"calendar": name, "zone": str(calendar.zone), "windows": [each.model_dump(mode="json") for each in spans]}
    return Answer(data, lambda: _windows(calendar, spans))


@command(app, "add")
def add(
    session: Session,
    name: Name,
    zone: Zone,
    opens: Open = None,
    closed_on: Closed = None,
    also_open: Also = None,
    description: Told = "",
    actor: options.Actor = None,
) -> Answer:
    """Define a calendar, or give it a new version; for administrators and calendar keepers."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    openings = [_opening(each) for each in opens or ()]
    days, spans = [_day(each) for each in closed_on or ()], [_span(each) for each in also_open or ()]
    with session.store() as governance:
        calendar = governance.calendars.define(
            name,
            zone=zone,
            openings=openings,
            closed_on=days,
            also_open=spans,
            description=description,
            actor=who,
        )
    return Answer(calendar.model_dump(mode="json"), lambda: _table([calendar]))


@command(app, "freeze")
def freeze(
    session: Session, name: Name, reason: Why, begins: From = None, until: Until = None, actor: options.Actor = None
) -> Answer:
    """Let nothing run under a calendar for a time; all is everything. Holds what was approved before, too."""
    from governance.cli.actors import actor_of
    from governance.cli.inputs import moment

    who, start, end = actor_of(actor), moment(begins, field="from"), moment(until, field="until")
    with session.store() as governance:
        calendar = governance.calendars.freeze(name, begins=start, ends=end, reason=reason, actor=who)
    return Answer(calendar.model_dump(mode="json"), lambda: _table([calendar]))


@command(app, "lift")
def lift(
    session: Session, name: Name, which: Freeze, reason: options.Reason = None, actor: options.Actor = None
) -> Answer:
    """End a freeze, or take one back that has not begun."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    with session.store() as governance:
        calendar = governance.calendars.lift(name, which, actor=who, reason=reason)
    return Answer(calendar.model_dump(mode="json"), lambda: _table([calendar]))


@command(app, "override")
def override(session: Session, request: options.Request, reason: Why, actor: options.Actor = None) -> Answer:
    """Let a request run outside its window, or during a freeze; for who has the right to, and not for who asked."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    return decided(session, request, lambda governance, key: governance.override_window(key, actor=who, reason=reason))


def _opening(given: str) -> tuple[str, timedelta]:
    cron, separator, lasting = given.rpartition(" for ")
    found = _LASTING.fullmatch(lasting.strip())
    if not separator or found is None:
        msg = f'open: {given!r} is not like "30 2 * * * for 2h" (m, h or d)'
        raise InputError(msg, field="open")
    return cron.strip(), timedelta(**{_UNITS[found[2]]: int(found[1][:6])})


def _day(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        msg = f"closed-on: {given!r} is not a day such as 2026-12-24"
        raise InputError(msg, field="closed-on") from None


def _span(given: str) -> tuple[datetime, datetime]:
    from governance.cli.inputs import required_moment

    begins, _, ends = given.partition("/")
    return required_moment(begins, field="also-open"), required_moment(ends, field="also-open")


def _table(calendars: "Sequence[Calendar]") -> "RenderableType":
    from rich.text import Text

    from governance.cli.render import grid
    from governance.cli.text import visible

    if not calendars:
        return Text("There is no calendar.")
    rows = [
        (Text(visible(each.name), style="bold"), Text(str(each.version)), Text(what), Text(visible(told, limit=None)))
        for each in calendars
        for what, told in _parts(each)
    ]
    return grid(rows, titles=("calendar", "version", "what", "when"))


def _parts(calendar: "Calendar") -> list[tuple[str, str]]:
    from governance.cli.render import instant

    parts: list[tuple[str, str]] = []
    if calendar.defined is not None:
        zone = calendar.defined.zone
        parts += [("opens", f"{each.cron} ({zone}) for {each.lasts}") for each in calendar.defined.openings]
        parts += [("closed on", str(each)) for each in calendar.defined.closed_on]
        parts += [("also open", f"{instant(x.begins)} to {instant(x.ends)}") for x in calendar.defined.also_open]
    for each in calendar.freezes:
        until = instant(each.ends) if each.ends else "until it is lifted"
        parts.append((f"freeze {each.id}", f"{instant(each.begins)} to {until}: {each.reason}"))
    return parts or [("", "")]


def _windows(calendar: "Calendar", spans: "Sequence[Span]") -> "RenderableType":
    from rich.text import Text

    from governance.cli.render import grid

    if not spans:
        return Text("It does not open, as things stand.")
    zone: Any = calendar.zone
    rows = [
        tuple(Text(f"{at.astimezone(zone):%a %Y-%m-%d %H:%M %Z}") for at in (each.begins, each.ends)) for each in spans
    ]
    return grid(rows, titles=("opens", "closes"))
