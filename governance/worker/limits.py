"""What an operator may set about a worker, by argument or by environment variables named `GOVERNANCE_WORKER_…`."""

from collections.abc import Mapping

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

EXECUTION = "execution"
USUAL = 8
BUSY = {"schedule": 32, "effects": 16}
"""Engines whose work is mostly waiting, for the database or for others."""


class WorkerLimits(BaseSettings):
    """How much a worker does at a time, and how long it waits; every default is safe for production."""

    model_config = SettingsConfigDict(env_prefix="GOVERNANCE_WORKER_", frozen=True, extra="ignore")

    max_concurrent_executions: int = Field(default=32, ge=1, le=256)
    """How many requests this worker executes at the same time."""
    concurrency: Mapping[str, int] = Field(default_factory=dict)
    """How many items of an engine are worked on at once, by the engine's name; 16 for schedules and effects, else 8."""
    poll_seconds: float = Field(default=0.75, gt=0)
    """How often a worker looks for work that time alone has made due, and that it was not woken for."""
    drain_seconds: float = Field(default=4.0, ge=0)
    """How long a worker that is told to stop finishes what it has begun; the rest comes up again elsewhere."""
    stalled_seconds: float = Field(default=30.0, gt=0)
    """How long a part of the worker may say nothing before the worker counts as ill."""

    def size(self, engine: str) -> int:
        """Return how many items of an engine may be worked on at once."""
        usual = self.max_concurrent_executions if engine == EXECUTION else BUSY.get(engine, USUAL)
        return max(1, self.concurrency.get(engine, usual))
