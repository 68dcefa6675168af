"""One worker process: a crew for each engine, a thread for each duty, and an orderly end."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from threading import Event
from typing import Any

import structlog

from governance.application import Governance
from governance.engines.engine import Engine
from governance.worker.crew import Crew
from governance.worker.duties import Duty, DutyRunner
from governance.worker.health import HealthServer
from governance.worker.limits import WorkerLimits
from governance.worker.metrics import Metrics, Source
from governance.worker.sources import store_source
from governance.worker.waking import Wake
from governance.worker.watching import Watcher


class Worker:
    """Does what is due until it is stopped. Any number of them, on any machines, share the work of one store."""

    def __init__(
        self,
        governance: Governance,
        *,
        engines: Iterable[Engine],
        duties: Iterable[Duty] = (),
        limits: WorkerLimits | None = None,
        sources: Iterable[Source] = (),
    ) -> None:
        """`duties` are kept up beside the engines and `sources` tell more metrics: plugs for what is not known here."""
        self.limits = limits or WorkerLimits()
        self.metrics = Metrics((store_source(governance), *sources))
        self._log: Any = structlog.get_logger("governance.worker")
        wake = Wake()
        self.crews = tuple(
            Crew(each, self.limits.size(each.name), wake, self.metrics, _utc_now, self.limits.poll_seconds)
            for each in engines
        )
        watcher = Watcher(governance.log, wake, self.metrics)
        self.duties = tuple(DutyRunner(each, self.metrics) for each in (Duty("watcher", watcher.run), *duties))
        self._server: HealthServer | None = None
        self._draining = False

    def start(self, *, health_port: int | None = None, health_host: str = "127.0.0.1") -> None:
        """Begin, and answer about health on a port if one is given (0: any that is free); OSError if it is taken."""
        if health_port is not None:
            self._server = HealthServer(health_host, health_port, self.ill, self.unready, self.metrics.text)
        engines = {each.engine.name: each.size for each in self.crews}
        self._log.info("started", engines=engines, duties=[each.duty.name for each in self.duties], port=self.port)
        for duty in self.duties:
            duty.start()
        for crew in self.crews:
            crew.start()

    def run(self, stop: Event, *, health_port: int | None = None, health_host: str = "127.0.0.1") -> bool:
        """Work until the flag is set, then drain; returns whether everything that was begun was finished."""
        self.start(health_port=health_port, health_host=health_host)
        stop.wait()
        return self.drain()

    def drain(self) -> bool:
        """Take on nothing more and finish what was begun, within the limit; returns whether that was enough time."""
        self._draining = True
        ends = time.monotonic() + self.limits.drain_seconds
        for crew in self.crews:
            crew.stop()
        for duty in self.duties:
            duty.stop()
        finished = [each.idle(max(0.0, ends - time.monotonic())) for each in self.crews]
        ended = [each.ended(max(0.0, ends - time.monotonic())) for each in self.duties]
        if self._server is not None:
            self._server.close()
        self._log.info("stopped", finished=all(finished), duties_ended=all(ended))
        return all(finished)

    @property
    def port(self) -> int | None:
        """Return the port of health and metrics, None when there is none."""
        return self._server.port if self._server is not None else None

    def ill(self) -> Sequence[str]:
        """Return what is wrong with the worker itself, so that it should be started again."""
        gone = [f"{each.engine.name}: a thread is gone" for each in self.crews if not each.alive]
        gone += [f"{each.duty.name}: its thread is gone" for each in self.duties if not each.alive]
        return [] if self._draining else gone

    def unready(self) -> Sequence[str]:
        """Return why the worker does nothing useful now: it is draining, or the store has not answered for long."""
        if self._draining:
            return ["draining"]
        now, limit = time.monotonic(), self.limits.stalled_seconds
        silent = [each for each in self.crews if each.problem is not None or now - each.answered_at > limit]
        told = [f"{each.engine.name}: {each.problem or 'has not been answered for long'}" for each in silent]
        return [*self.ill(), *told, *(f"{each.duty.name}: {each.problem}" for each in self.duties if each.problem)]


def _utc_now() -> datetime:
    return datetime.now(UTC)
