"""Duties: what a worker keeps doing as long as it runs, such as keeping views up to date; begun again after errors."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import structlog

from governance.worker.metrics import Metrics

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
WELL_SECONDS = 10.0
"""How long a duty has to have run for its next failure to count as the first."""


@dataclass(frozen=True)
class Duty:
    """Something to keep doing: `run` returns when the flag that it is given is set, and raises when it cannot go on."""

    name: str
    run: Callable[[Event], None]


class DutyRunner:
    """Runs one duty on a thread of its own, again after every error."""

    def __init__(self, duty: Duty, metrics: Metrics) -> None:
        self.duty = duty
        self.problem: str | None = None
        self._metrics = metrics
        self._stopping = Event()
        self._log: Any = structlog.get_logger("governance.worker").bind(duty=duty.name)
        self._thread = Thread(target=self._run, name=f"governance-{duty.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the duty to end."""
        self._stopping.set()

    def ended(self, seconds: float) -> bool:
        """Return whether the duty has ended, waiting so many seconds for it."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Return whether the duty's thread is there."""
        return self._thread.is_alive()

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                self.duty.run(self._stopping)
                self.problem = None
            except Exception as error:
                self.problem = f"{type(error).__name__}: {error}"
                self._metrics.trouble(self.duty.name)
                self._log.warning("trouble", error=self.problem)
            if time.monotonic() - started > WELL_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._stopping.wait(pause)
            pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
