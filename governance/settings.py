"""What an operator may set, by argument or by environment variables named `GOVERNANCE_…`."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Limits and budgets; every default is safe for production."""

    model_config = SettingsConfigDict(env_prefix="GOVERNANCE_", frozen=True, extra="ignore")

    max_payload_bytes: int = Field(default=256 * 1024, ge=1024)
    """The largest mutation, and the largest metadata, in bytes of JSON."""
    max_state_bytes: int = Field(default=1024 * 1024, ge=1024)
    """The largest value of a governed state, in bytes of JSON."""
    max_attempts: int = Field(default=3, ge=1)
    """How often an execution may fail before the request has failed."""
    max_rounds: int = Field(default=10, ge=1)
    """How often a request may go round for approval before it ends."""
    max_concurrent_executions: int | None = Field(default=None, ge=1)
    """How many executions may run at once in this process, over all its threads; None for any number."""
    budget_seconds: float = Field(default=5.0, gt=0)
    """How long one call may take, retries after lost races included."""
    policy_timeout_seconds: float = Field(default=5.0, gt=0)
    """How long one policy may take, unless it says otherwise itself."""
    break_glass_role: str = "break-glass"
    """The role that gives the right to let a request run without its approvals."""
    break_glass_review_role: str = "break-glass-review"
    """The role that gives the right to review that, beside administrators."""
    break_glass_review_after: timedelta = timedelta(days=3)
    """Within what time such a review has to be closed."""
    calendar_role: str = "calendar-keeper"
    """The role that gives the right to define calendars and to declare freezes, beside administrators."""
    quota_role: str = "quota-keeper"
    """The role that gives the right to define quotas, beside administrators."""
    window_override_role: str = "window-override"
    """The role that gives the right to let a request run outside its window, beside administrators."""
    callback_key: SecretStr | None = None
    """The secret under which tokens for callbacks of external checks are made; at least 16 bytes."""
    check_role: str = "checker"
    """The role that lets a person answer for an external check; services need none."""
    execute_automatically: Literal["released", "all", "never"] = "released"
    """Which approved requests `run_due` and workers execute: those that had to wait for something, all, or none."""
    cached_requests: int = Field(default=4096, ge=0)
    """How many requests, and how many states, are kept in memory between calls."""
    personal_texts: tuple[Literal["name", "reason", "comment", "metadata"], ...] = ()
    """What is sealed as personal data of every event, beside marked fields: actors' names, and what people wrote."""
    personal_key_file: str | None = None
    """The file of the key (32 bytes, base64) that protects the keys of personal data; without, they lie open."""
    effect_attempts: int = Field(default=12, ge=1)
    """How often the delivery of an effect is tried before it is parked."""
    effect_first_pause: timedelta = Field(default=timedelta(seconds=1), gt=timedelta(0))
    """The pause after the first failed delivery; it doubles with each of the next."""
    effect_longest_pause: timedelta = Field(default=timedelta(minutes=10), gt=timedelta(0))
    """The longest pause between two attempts to deliver an effect."""
    effect_lease_seconds: float = Field(default=3.0, ge=0.1)
    """How long after a worker has died or stalled another delivers its effects."""
    database_schema: str = "governance"
    """The PostgreSQL schema of the tables."""
    create_schema: bool = True
    """Whether opening a store creates or migrates its tables."""
