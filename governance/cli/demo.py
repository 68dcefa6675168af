"""`gov demo`: a real case of access control from beginning to end, on a fresh store, told as it happens."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli.commands import command
from governance.cli.groups import LOOK, app
from governance.cli.session import Answer, Session
from governance.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from governance.cli.demo_play import Played, Step

APP = "governance.cli.demo_case:app"
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="An empty store to play in. (default: a new file governance-demo.db in the working directory)",
        show_default=False,
    ),
]


@command(app, "demo", LOOK)
def demo(session: Session, store: Store = None) -> Answer:
    """Play a real case of access control from beginning to end, on a fresh store."""
    from governance.cli.demo_case import app as case
    from governance.cli.demo_play import play

    place = Session(url=store or _fresh_file(), app=APP, as_json=session.as_json)
    place.check_url(create=True)
    with case.open(place.url) as governance:
        if governance.log.head():
            msg = f"{place.shown_url} is not empty, and the demo begins with an empty store; leave --store out"
            raise ConfigurationError(msg, url=place.shown_url)
        played = play(governance)
    steps = next_commands(place.shown_url, played)
    return Answer(_document(place, played, steps), lambda: _view(place, played, steps))


def next_commands(url: str, played: "Played") -> list[str]:
    """Return what to type next; every line works as it stands, in the directory of the demo."""
    waiting, first = played.waiting, played.first
    gov = _program()
    return [
        f"export GOVERNANCE_APP={APP}",
        f"export GOVERNANCE_URL={shlex.quote(url)}",
        f"{gov} list",
        f"{gov} why {waiting[-8:]} --as edsger:security-lead",
        f"{gov} approve {waiting[-8:]} --as edsger:security-lead",
        f"{gov} execute {waiting[-8:]} --as worker:kind=service",
        f"{gov} show {first[-8:]}",
        f"{gov} history --state tenant-42:roles",
    ]


def _fresh_file() -> str:
    names = (f"governance-demo{'' if number == 1 else f'-{number}'}.db" for number in count(1))
    free = next(name for name in names if not Path(name).exists())
    return f"sqlite:///{free}"


def _program() -> str:
    called, found = Path(sys.argv[0]), shutil.which("gov")
    if called.name != "gov":
        return "gov" if found else f"{shlex.quote(sys.executable)} -m governance"
    if len(called.parts) == 1 or (found and Path(found).resolve() == called.resolve()):
        return "gov"
    absolute, here = called.absolute(), Path.cwd()
    return shlex.quote(str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute))


def _document(place: Session, played: "Played", steps: Sequence[str]) -> dict[str, Any]:
    from governance.cli.timeline import entry

    file = place.file
    return {
        "url": place.shown_url,
        "file": str(file.absolute()) if file else None,
        "app": APP,
        "steps": [_told(step) for step in played.steps],
        "state": {"before": played.beginning, "after": played.end},
        "request": played.first,
        "waiting": played.waiting,
        "events": [entry(each) for each in played.timeline],
        "next": list(steps),
    }


def _told(step: "Step") -> dict[str, Any]:
    changes = [each.model_dump(mode="json") for each in step.changes]
    return {**vars(step), "changes": changes}


def _view(place: Session, played: "Played", steps: Sequence[str]) -> Any:
    from governance.cli.demo_view import story

    file = place.file
    return story(played, str(file.absolute()) if file else place.shown_url, steps)
