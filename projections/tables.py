"""Tables of views: column types that mean the same on SQLite and PostgreSQL, generations, and the control tables."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any, Final, Literal

from msgspec.json import Decoder, Encoder
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

_ENCODE: Final = Encoder().encode
_DECODE: Final = Decoder().decode
Written = Literal["replaced", "appended", "added"]


class Moment(TypeDecorator[datetime]):
    """An aware time: `timestamptz` on PostgreSQL, text of fixed width that sorts by time on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of the database."""
        return dialect.type_descriptor(String(27) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Return the value as the database keeps it."""
        return moment_text(value) if isinstance(value, datetime) and dialect.name == "sqlite" else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """Return what makes an aware time in UTC of what the database has kept."""
        return _kept_time if dialect.name == "sqlite" else _received_time


class Json(TypeDecorator[Any]):
    """A JSON value kept as text, so that both databases keep it as it was; never looked into by queries."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Return the text."""
        return json.dumps(value, ensure_ascii=False)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], Any]:
        """Return what makes a value of the text."""
        return _decoded


class Ranked(TypeDecorator[str]):
    """A name out of an ordered list, kept as its place there, so that ranges and sorting follow the order."""

    impl = Integer
    cache_ok = True

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names

    @property
    def python_type(self) -> type[Any]:
        """Return what a row holds: the name."""
        return str

    def process_bind_param(self, value: str | None, dialect: Dialect) -> int | None:
        """Return the place of the name."""
        return None if value is None else self.names.index(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> str | None:
        """Return the name."""
        return None if value is None else self.names[value]


KEY = String().with_variant(String(collation="C"), "postgresql")
"""Text that is compared and sorted byte by byte on both databases."""
POSITION = BigInteger().with_variant(Integer(), "sqlite")


def _kept_time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _received_time(value: datetime | None) -> datetime | None:
    """Return the time in UTC by that name: sessions are in UTC, so only the name of the zone differs."""
    return None if value is None else value.replace(tzinfo=UTC)


def _decoded(value: str | None) -> Any:
    return None if value is None else _DECODE(value)


def moment_text(moment: datetime) -> str:
    """Return a time as text of fixed width, so that it sorts as the time does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def json_text(value: Sequence[str]) -> str:
    """Return a list of texts as it is kept."""
    return _ENCODE(value).decode() if value else "[]"


WHOLE_SECOND: Final = 20


def stored_moment(moment: str | None) -> str | None:
    """Return a time of the event store in the fixed width; the store leaves out a fraction of zero."""
    return f"{moment[:-1]}.000000Z" if moment is not None and len(moment) == WHOLE_SECOND else moment


@dataclass(frozen=True)
class Key:
    """An index: its columns, and the condition on a boolean column that limits it to some rows."""

    columns: tuple[str, ...]
    only: str | None = None
    unique: bool = False


@dataclass(frozen=True)
class ViewTable:
    """One table of a view. `owner` is the column with the id of the stream that a row comes from.

    `replaced`: all rows of a stream are written anew when it has news. `appended`: rows are only ever added. `added`:
    rows with the same key are summed up, and no row belongs to a stream.
    """

    name: str
    columns: tuple[Column[Any], ...]
    key: tuple[str, ...]
    written: Written = "replaced"
    owner: str | None = None
    indexes: tuple[Key, ...] = ()

    def generation(self, number: int) -> Table:
        """Return the table that holds one generation of the rows."""
        return _generation(self, number)

    def column_names(self) -> tuple[str, ...]:
        """Return the names of the columns, in the order of a row."""
        return tuple(column.name for column in self.columns)

    def __hash__(self) -> int:
        return hash(self.name)


@lru_cache(maxsize=512)
def _generation(table: ViewTable, number: int) -> Table:
    columns = (column._copy() for column in table.columns)
    made = Table(f"view_{table.name}_{number}", MetaData(), *columns, PrimaryKeyConstraint(*table.key))
    for count, key in enumerate(table.indexes, start=1):
        where = text(f"{key.only}") if key.only else None
        Index(
            f"ix_{table.name}_{number}_{count}",
            *(made.c[name] for name in key.columns),
            unique=key.unique,
            postgresql_where=where,
            sqlite_where=where,
        )
    return made


@cache
def shape(tables: tuple[ViewTable, ...]) -> str:
    """Return a digest of the definition of tables, by which rows of another definition are told apart."""
    told = [
        (table.name, table.written, table.key, [(c.name, str(c.type), c.nullable) for c in table.columns])
        for table in tables
    ]
    return sha256(repr(told).encode()).hexdigest()[:16]


CONTROL: Final = MetaData()

GENERATIONS: Final = Table(
    "projection_generations",
    CONTROL,
    Column("view", KEY, primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("status", KEY, nullable=False),
    Column("version", Integer, nullable=False),
    Column("shape", KEY, nullable=False),
    Column("position", POSITION, nullable=False),
    Column("anchor", KEY, nullable=False),
    Column("at", Moment),
    Column("paused", Boolean, nullable=False),
    Column("error", Text),
    Column("error_at", Moment),
    Column("rate", Float),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index(
        "ix_projection_generations_live",
        "view",
        unique=True,
        postgresql_where=text("status = 'live'"),
        sqlite_where=text("status = 'live'"),
    ),
)
"""Where each generation of each view stands; `anchor` is what the event at that position is known by."""

PARKED: Final = Table(
    "projection_parked",
    CONTROL,
    Column("view", KEY, primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("stream", KEY, nullable=False),
    Column("stream_version", POSITION, nullable=False),
    Column("topic", KEY, nullable=False),
    Column("error", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("skipped", Boolean, nullable=False),
    Column("parked_at", Moment, nullable=False),
)
"""Events that a view could not take in; they are left out of it until they are retried."""

LEASES: Final = Table(
    "projection_leases",
    CONTROL,
    Column("name", KEY, primary_key=True),
    Column("holder", KEY, nullable=False),
    Column("until", Float, nullable=False),
)
"""Who works on what, on SQLite, which has no advisory locks; seconds since 1970."""
