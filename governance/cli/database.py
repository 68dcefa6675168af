"""`gov db`: making, checking and migrating the store."""

from typing import TYPE_CHECKING, Any

from governance.cli.commands import command
from governance.cli.groups import db
from governance.cli.session import Answer, Session

if TYPE_CHECKING:
    from rich.console import RenderableType


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


def _status(session: Session, *, create: bool) -> dict[str, Any]:
    from governance.event_store.connect import open_recorder
    from governance.event_store.log import EventLog, translated_errors
    from governance.event_store.settings import RecorderSettings
    from governance.settings import Settings

    chosen = Settings()
    settings = RecorderSettings(
        budget_seconds=chosen.budget_seconds, database_schema=chosen.database_schema, create_schema=create
    )
    with translated_errors():
        log = EventLog(open_recorder(session.url, settings=settings))
    try:
        recorder = log.event_recorder
        schema = recorder.schema_status()
        writers = [each.model_dump() for each in recorder.open_writers()]
        head = log.head()
    finally:
        log.close()
    return {"url": session.shown_url, "schema": schema.model_dump(mode="json"), "head": head, "open_writers": writers}


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
        ("last position", f"{data['head']:,}"),
        *(("appending now", f"{each['application']} for {each['seconds']:.1f} s") for each in data["open_writers"]),
    ]
    return grid((Text(name, style="dim"), Text(what)) for name, what in rows)
