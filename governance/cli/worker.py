"""`gov worker`: does what is due until it is told to stop."""

import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli.commands import command
from governance.cli.groups import RUN, app
from governance.cli.session import Answer, Session

if TYPE_CHECKING:
    from governance.worker import Duty
    from governance.worker.metrics import Sample, Source
    from projections import Projections

GARBAGE_THRESHOLDS = (10_000, 50, 100)
"""How many more objects are made than let go before a look at the young ones, and how many looks before older ones."""
HealthPort = Annotated[
    int | None,
    typer.Option(
        "--health-port", metavar="PORT", min=0, max=65_535, help="Answer /health, /ready and /metrics on this port."
    ),
]
HealthHost = Annotated[
    str, typer.Option("--health-host", metavar="HOST", help="The address to answer on; 0.0.0.0 for all of the machine.")
]
Executions = Annotated[
    int | None,
    typer.Option("--max-concurrent-executions", metavar="N", min=1, max=256, help="How many requests to run at once."),
]
Views = Annotated[bool, typer.Option("--views/--no-views", help="Keep the views up to date, too.")]
Log = Annotated[
    str, typer.Option("--log", metavar="FORMAT", help="json or text, on standard error. (default: text at a terminal)")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log every item, not only what matters.")]


@command(app, "worker", RUN)
def worker(
    session: Session,
    health_port: HealthPort = None,
    health_host: HealthHost = "127.0.0.1",
    max_concurrent_executions: Executions = None,
    views: Views = True,
    log: Log = "",
    verbose: Verbose = False,
) -> Answer:
    """Do what is due, until SIGTERM or Ctrl-C: run this as often and on as many machines as you like.

    Releases and executes requests, asks checks, expires what is late, delivers effects and keeps views up to date.
    Environment variables named GOVERNANCE_WORKER_… set its limits.
    """
    from rich.text import Text

    from governance.worker import Worker, WorkerLimits

    _set_up_logs(log, verbose=verbose)
    limits = WorkerLimits()
    if max_concurrent_executions is not None:
        limits = limits.model_copy(update={"max_concurrent_executions": max_concurrent_executions})
    with session.governed() as governance, _plugs(session, wanted=views) as (duties, sources):
        _collect_seldom()
        crew = Worker(governance, engines=governance.engines, duties=duties, limits=limits, sources=sources)
        finished = crew.run(_told_to_stop(), health_port=health_port, health_host=health_host)
    return Answer({"finished": finished}, lambda: Text("stopped" if finished else "stopped before all was finished"))


def _collect_seldom() -> None:
    """Look for cyclic garbage less often: most of what a worker makes is in no cycle, and a look takes all it keeps.

    What was made until now stays for as long as the process does.
    """
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _told_to_stop() -> Event:
    stop = Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stop.set())
    return stop


@contextmanager
def _plugs(session: Session, *, wanted: bool) -> "Iterator[tuple[list[Duty], list[Source]]]":
    """Give what the worker does and tells of views, which it must not know itself."""
    if not wanted:
        yield [], []
        return
    from governance.event_store.settings import RecorderSettings
    from governance.settings import Settings
    from governance.worker import Duty
    from projections import Projections

    settings = RecorderSettings(create_schema=False, database_schema=Settings().database_schema)

    def run(stop: Event) -> None:
        with Projections.open(session.url, settings=settings) as projections:
            projections.run(stop)

    with Projections.open(session.url, settings=settings) as watched:
        yield [Duty("views", run)], [_lag_of(watched)]


def _lag_of(projections: "Projections") -> "Source":
    from governance.worker.metrics import Sample

    lock = Lock()

    def tell() -> "Iterator[Sample]":
        with lock:
            found = projections.status()
        for each in found:
            labels = {"view": each.view}
            yield Sample("governance_view_lag_events", "Events that a view has not taken in", each.lag_events, labels)
            yield Sample("governance_view_lag_seconds", "Age of the oldest of them", each.lag_seconds, labels)
            yield Sample("governance_view_parked", "Events that a view could not take in", each.parked, labels)

    return tell


def _set_up_logs(wanted: str, *, verbose: bool) -> None:
    import logging

    import structlog

    from governance.domain.errors import InputError

    if wanted not in ("", "json", "text"):
        msg = f"log: {wanted!r} is neither json nor text"
        raise InputError(msg, field="log")
    as_text = wanted == "text" or (not wanted and sys.stderr.isatty())
    last: Any = structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer(ensure_ascii=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
