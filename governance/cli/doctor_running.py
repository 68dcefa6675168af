"""What `gov doctor` looks at besides requests: the store, the clocks, work that nobody does, effects and views."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from governance.cli.doctor_finding import Finding
from governance.cli.session import Session

if TYPE_CHECKING:
    from governance.application import Governance
    from governance.effects.operating import OutstandingEffect

LATE_SECONDS: Final = 60
"""From when on what is due counts as left undone."""
SKEW_SECONDS: Final = 1.0
MANY: Final = 10_000
_SECOND: Final = 1_000_000
_LEFT_UNDONE: Final = {
    "expiry": "deadlines have passed and are not recorded",
    "schedule": "requests wait although their time has come",
    "dependency": "requests wait although what they wait for may be there",
    "quota": "requests wait for tokens and nobody looks",
    "external_check": "checks are due to be asked",
    "execution": "requests that were released are not executed",
    "reconcile": "executions are in doubt: their states' own stores have not been asked",
}


def findings_of_store(session: Session) -> Iterator[Finding]:
    """Yield settings of the database by which events could be lost, and clocks that differ."""
    from contextlib import closing

    from governance.event_store.connect import open_recorder
    from governance.event_store.log import translated_errors
    from governance.event_store.settings import RecorderSettings
    from governance.settings import Settings

    session.check_url()
    settings = RecorderSettings(
        database_schema=Settings().database_schema, create_schema=False, accept_outdated=True, require_durable=False
    )
    with translated_errors(), closing(open_recorder(session.url, settings=settings)) as recorder:
        before = time.time_ns() // 1_000
        facts = recorder.facts()
        after = time.time_ns() // 1_000
    for setting in facts.unsafe:
        told = (
            "acknowledged events could be lost" if "synchronous" not in setting else "other programs could lose theirs"
        )
        yield Finding(kind="unsafe-setting", what=f"the database has {setting}: {told}", next="switch it on")
    skew = max(before - facts.clock, facts.clock - after, 0) / _SECOND
    if skew > SKEW_SECONDS:
        what = f"the clocks of this machine and of the database differ by {skew:.1f} s"
        yield Finding(kind="clock-skew", what=what, next="set both by NTP; deadlines go by the machines that decide")


def findings_of_views(session: Session) -> Iterator[Finding]:
    """Yield views that do not go on, or are far behind."""
    from governance.event_store.settings import RecorderSettings
    from governance.settings import Settings
    from projections import Projections

    settings = RecorderSettings(create_schema=False, database_schema=Settings().database_schema, require_durable=False)
    with Projections.open(session.url, settings=settings) as projections:
        statuses = projections.status()
    for each in statuses:
        if each.health in ("stuck", "outdated"):
            why = each.error or (f"{each.parked} events are parked" if each.parked else "its code has changed")
            yield Finding(kind="view", what=f"view {each.view} is {each.health}: {why}", next="gov projections status")
        elif each.health == "behind" and each.lag_seconds > LATE_SECONDS:
            what = f"view {each.view} is {each.lag_events:,} events and {each.lag_seconds:,.0f} s behind"
            yield Finding(kind="lag", what=what, next="is a gov worker running?")


def findings_of(governance: "Governance", *, handlers_known: bool) -> Iterator[Finding]:
    """Yield work that is due and that nobody does, and effects that are not delivered."""
    governance.agenda.catch_up()
    now = time.time_ns() // 1_000
    for count in governance.agenda.count():
        late = 0.0 if count.oldest_due is None else (now - count.oldest_due) / _SECOND
        if count.kind in _LEFT_UNDONE and late > LATE_SECONDS:
            what = f"{_LEFT_UNDONE[count.kind]}, for {late:,.0f} s at most"
            yield Finding(kind=f"left-undone-{count.kind}", what=what, next="is a gov worker running? gov due")
    yield from _of_effects(governance.outstanding_effects(limit=MANY), now, handlers_known)


def _of_effects(found: "Sequence[OutstandingEffect]", now: int, handlers_known: bool) -> Iterator[Finding]:
    parked = [each for each in found if each.status == "parked"]
    if parked:
        what = f"{len(parked):,} effects are parked, the first {parked[0].effect_id}"
        yield Finding(kind="parked-effects", what=what, next="gov effects list, then retry or drop", count=len(parked))
    unhandled = [each for each in found if each.status == "waiting" and not each.handled] if handlers_known else []
    if unhandled:
        contracts = ", ".join(sorted({each.contract for each in unhandled}))
        what = f"{len(unhandled):,} effects have no handler here ({contracts}), and hold up what comes after them"
        yield Finding(kind="unhandled-effects", what=what, next="give the application a handler", count=len(unhandled))
    late = [
        each for each in found if each.status == "waiting" and now / _SECOND - each.due_at.timestamp() > LATE_SECONDS
    ]
    if handlers_known and len(late) > len(unhandled):
        what = f"{len(late):,} effects wait for delivery for more than {LATE_SECONDS} s"
        yield Finding(kind="late-effects", what=what, next="is a gov worker running?", count=len(late))
