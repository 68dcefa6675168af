"""`gov db`: making, checking and migrating the store."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli.commands import command
from governance.cli.groups import db
from governance.cli.session import Answer, Session
from governance.domain.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.event_store.recorder import EventRecorder


@command(db, "init")
def init(session: Session) -> Answer:
    """Make the store, or bring its tables up to date; harmless when they are."""
    session.check_url(create=True)
    data = _status(session, create=True)
    return Answer(data, lambda: _view(data))


@command(db, "status")
def status(session: Session) -> Answer:
    """Show which store this is, whether its tables are up to date, and how much is in it."""
    session.check_url()
    data = _status(session, create=False)
    return Answer(data, lambda: _view(data))


@command(db, "migrate")
def migrate(
    session: Session,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be run.", show_default=False)
    ] = False,
) -> Answer:
    """Bring the tables of the store up to date: in one transaction, under a lock, and harmless when they are."""
    session.check_url()
    with _recorder(session, accept_outdated=True) as recorder:
        steps = recorder.schema_status().pending
        statements = recorder.migrate(dry_run=dry_run)
    data = {"url": session.shown_url, "steps": list(steps), "statements": statements, "applied": not dry_run}
    return Answer(data, lambda: _migrated(data))


@command(db, "role")
def role(
    session: Session, name: Annotated[str, typer.Argument(metavar="ROLE", help="An existing role of the server.")]
) -> Answer:
    """Print the SQL that lets a PostgreSQL role append and read, and nothing else; asks no server."""
    from governance.event_store.connect import split_schema
    from governance.event_store.postgres_schema import role_sql
    from governance.settings import Settings

    session.check_url(create=True)
    if session.file is not None:
        msg = "--url: only PostgreSQL has roles; give the URL of a store there, as in postgresql://HOST/DATABASE"
        raise InputError(msg, field="url")
    schema = split_schema(session.url)[1] or Settings().database_schema
    statements = role_sql(schema, name)
    return Answer({"role": name, "schema": schema, "sql": statements}, lambda: _sql(statements))


def _status(session: Session, *, create: bool) -> dict[str, Any]:
    with _recorder(session, create_schema=create, accept_outdated=not create) as recorder:
        schema = recorder.schema_status()
        writers = [] if schema.pending else [each.model_dump() for each in recorder.open_writers()]
        head = None if schema.pending else recorder.max_notification_id() or 0
    return {"url": session.shown_url, "schema": schema.model_dump(mode="json"), "head": head, "open_writers": writers}


@contextmanager
def _recorder(
    session: Session, *, create_schema: bool = False, accept_outdated: bool = False
) -> "Iterator[EventRecorder]":
    from governance.event_store.connect import open_recorder
    from governance.event_store.log import translated_errors
    from governance.event_store.settings import RecorderSettings
    from governance.settings import Settings

    chosen = Settings()
    settings = RecorderSettings(
        budget_seconds=chosen.budget_seconds,
        database_schema=chosen.database_schema,
        create_schema=create_schema,
        accept_outdated=accept_outdated,
    )
    with translated_errors(), closing(open_recorder(session.url, settings=settings)) as recorder:
        yield recorder


def _migrated(data: dict[str, Any]) -> "RenderableType":
    from rich.text import Text

    if not data["applied"]:
        return _sql("\n\n".join(f"{each};" for each in data["statements"]) or "-- the tables are up to date")
    done = "\n".join(f"applied: {each}" for each in data["steps"])
    return Text(done or "The tables are up to date.")


def _sql(text: str) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    # In a group, because a text of its own would be broken into lines all the same, and a broken line breaks a name.
    return Group(Text(text, no_wrap=True, overflow="ignore"))


def _view(data: dict[str, Any]) -> "RenderableType":
    from rich.text import Text

    from governance.cli.render import grid
    from governance.cli.text import visible

    schema = data["schema"]
    rows = [
        ("store", visible(data["url"])),
        (
            "schema",
            f"{schema['current']} of {schema['target']}: " + ("outdated" if schema["pending"] else "up to date"),
        ),
        ("last position", "unknown: run gov db migrate" if data["head"] is None else f"{data['head']:,}"),
        *(("appending now", f"{each['application']} for {each['seconds']:.1f} s") for each in data["open_writers"]),
    ]
    return grid((Text(name, style="dim"), Text(what)) for name, what in rows)
