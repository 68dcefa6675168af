"""What an operator may set about an event store: budgets, queue limits and where its tables are."""

from pydantic import BaseModel, ConfigDict, Field

MEBIBYTE = 1024 * 1024


class RecorderSettings(BaseModel):
    """Settings of one recorder; every default is safe for production."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget_seconds: float = Field(default=5.0, gt=0)
    """How long any one call may take before it answers with an error."""
    queue_events: int = Field(default=20_000, ge=1)
    """How many events may wait for a flush before callers are held back."""
    queue_bytes: int = Field(default=64 * MEBIBYTE, ge=1)
    """How many bytes of events may wait for a flush before callers are held back."""
    flush_events: int = Field(default=256, ge=1)
    """How many events one transaction takes at most, unless a single append is larger."""
    flush_bytes: int = Field(default=4 * MEBIBYTE, ge=1)
    """How many bytes one transaction takes at most, unless a single append is larger."""
    append_bytes: int = Field(default=16 * MEBIBYTE, ge=1)
    """How many bytes a single append may have; larger ones are refused with DataError."""
    read_sessions: int = Field(default=4, ge=1)
    """How many connections a recorder may hold for reading, besides the one for writing."""
    poll_seconds: float = Field(default=0.25, gt=0)
    """How long a reader that missed a wake-up waits at most before it looks again."""
    file_poll_seconds: float = Field(default=0.01, gt=0)
    """How often a reader of an SQLite file looks for appends by other processes."""
    require_durable: bool = True
    """Whether a server that can lose acknowledged commits (fsync off) is refused."""
    database_schema: str = Field(default="governance", pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    """The PostgreSQL schema that holds the tables; SQLite has none."""
    create_schema: bool = True
    """Whether opening a store creates or migrates its tables; if not, an outdated store is refused."""
    accept_outdated: bool = False
    """Whether a store with outdated tables, or none, is opened as it is: to look at them and to migrate them."""
