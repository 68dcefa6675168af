"""Work that does not get done: what fails again and again, and what is approved and waits for somebody to run it."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from governance.cli.doctor_conditions import named, rows_of
from governance.cli.doctor_finding import Examined, Finding, Named
from governance.engines.folding import BATCH, CHECK, DIRECT, EXECUTION, EXECUTIONS, EXPIRY, QUOTA, SCHEDULE, micros
from governance.engines.surveying import Survey

if TYPE_CHECKING:
    from governance.event_store.agenda import AgendaRow
    from projections.rows import RequestRow

LATE: Final = timedelta(seconds=60)
MANY_TRIES: Final = 3
MAX_LOADED: Final = 1_000


def undone_work(examined: Examined) -> Iterator[Finding]:
    """Yield checks that nobody answers for, what fails again and again, and what is never executed by itself."""
    survey = Survey(examined.governance.log)
    yield from _checks(survey, examined)
    yield from _failing(survey)
    yield from _not_executed(survey, examined)
    yield from _batches(survey, examined)


def _checks(survey: Survey, examined: Examined) -> Iterator[Finding]:
    if not examined.app_known:
        return
    unknown: defaultdict[str, list[Named]] = defaultdict(list)
    for row in islice(_rows(survey, CHECK, tries=1), MAX_LOADED):
        opened = examined.governance.request(row.request_id).requirement(row.item)
        name = opened.asked.name if opened is not None else None
        if name and not examined.governance.checkers.knows(name):
            unknown[name].append(named(row))
    for name, waiting in unknown.items():
        then = "give the application a checker of that name, or answer with record_check"
        yield Finding.about("unknown-checker", waiting, what=f"no checker {name} is registered here", next=then)


def _failing(survey: Survey) -> Iterator[Finding]:
    kinds = (*EXECUTIONS, EXPIRY, SCHEDULE, QUOTA, CHECK, "dependency")
    failing: defaultdict[str, list[Named]] = defaultdict(list)
    for row in _rows(survey, *kinds, tries=MANY_TRIES):
        failing[row.kind].append(named(row))
    for kind, waiting in failing.items():
        what = f"work of kind {kind} fails again and again"
        yield Finding.about(
            "keeps-failing", waiting, what=what, next="gov due says why, and so does the log of gov worker"
        )


def _not_executed(survey: Survey, examined: Examined) -> Iterator[Finding]:
    setting = examined.governance.settings.execute_automatically
    kinds = {"never": (DIRECT, EXECUTION), "released": (DIRECT,), "all": ()}[setting]
    late = micros(examined.now - LATE)
    waiting = [named(row) for row in _rows(survey, *kinds) if row.due_at is not None and row.due_at <= late]
    if waiting:
        what = f"approved requests are not executed by themselves (execute_automatically is {setting})"
        yield Finding.about("not-executed", waiting, what=what, next="gov execute, or gov cancel")


def _batches(survey: Survey, examined: Examined) -> Iterator[Finding]:
    """Yield members of batches that are approved: they run when somebody executes their batch."""
    waiting: list[Named] = []
    for page in survey.listed(BATCH, asleep=True):
        known = rows_of(examined, sorted({each.request_id for each in page}))
        waiting += [named(row) for row in page if _late(known.get(row.request_id), examined)]
    if waiting:
        what = "approved members of batches wait for their batch to be executed"
        yield Finding.about("batch-not-executed", waiting, what=what, next="gov batch list, then gov batch execute")


def _rows(survey: Survey, *kinds: str, tries: int = 0) -> "Iterator[AgendaRow]":
    return chain.from_iterable(survey.listed(*kinds, asleep=False, tries=tries))


def _late(row: "RequestRow | None", examined: Examined) -> bool:
    return row is not None and row.status == "approved" and row.updated_at <= examined.now - LATE
