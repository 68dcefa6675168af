"""Opening the event store that a URL names."""

import os
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from eventsourcing.persistence import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from governance.event_store.postgres import PostgresRecorder
from governance.event_store.recorder import EventRecorder, UnsafeStore
from governance.event_store.settings import RecorderSettings
from governance.event_store.sqlite import SqliteRecorder
from governance.event_store.sqlite_connections import MEMORY

_TRUE: Final = frozenset({"1", "on", "t", "true", "y", "yes"})
_SQLITE: Final = "sqlite://"


def open_recorder(url: str, *, settings: RecorderSettings | None = None) -> EventRecorder:
    """Returns the recorder for `sqlite://` (memory), `sqlite:///file`, `sqlite:////path` or `postgresql://…`.

    A `schema=` parameter of a PostgreSQL URL names the schema and is not passed on; all others are libpq's.
    Raises ProgrammingError for another kind of URL, UnsafeStore, SchemaOutdated or StoreUnavailable.
    """
    refuse_unordered_library()
    settings = settings or RecorderSettings()
    if url.startswith(_SQLITE):
        return SqliteRecorder(sqlite_path(url), settings)
    if urlsplit(url).scheme in {"postgresql", "postgres"}:
        conninfo, schema = split_schema(url)
        if schema:
            settings = RecorderSettings(**{**settings.model_dump(), "database_schema": schema})
        return PostgresRecorder(_checked(conninfo), settings)
    msg = f"not the URL of a store: {url.split('://', maxsplit=1)[0]}://… (known: sqlite, postgresql)"
    raise ProgrammingError(msg)


def sqlite_path(url: str) -> str:
    """Returns the path of the file, or `:memory:`."""
    path = url.removeprefix(_SQLITE)
    if path in {"", "/", "/:memory:"}:
        return MEMORY
    if not path.startswith("/"):
        msg = "a file's URL has three slashes, or four for an absolute path: sqlite:///events.db"
        raise ProgrammingError(msg)
    return path[1:]


def _checked(conninfo: str) -> str:
    """Returns the URL; raises ProgrammingError if libpq cannot read it, without telling what is in it."""
    try:
        conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        msg = "libpq cannot read the URL of the PostgreSQL store"
        raise ProgrammingError(msg) from None
    return conninfo


def split_schema(url: str) -> tuple[str, str | None]:
    """Returns the URL without its `schema` parameter, and that parameter."""
    parts = urlsplit(url)
    parameters = parse_qsl(parts.query, keep_blank_values=True)
    schema = next((value for name, value in parameters if name == "schema"), None)
    rest = urlencode([(name, value) for name, value in parameters if name != "schema"])
    return urlunsplit(parts._replace(query=rest)), schema


def refuse_unordered_library() -> None:
    """Raises UnsafeStore if the library's own fast path is switched on, by which readers miss events."""
    name = "POSTGRES_ENABLE_DB_FUNCTIONS"
    if os.environ.get(name, "").strip().lower() in _TRUE:
        msg = f"{name} is set: the library's database functions lose the order of events; unset it"
        raise UnsafeStore(msg)
