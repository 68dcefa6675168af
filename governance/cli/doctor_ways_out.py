"""Ways out that nobody can take: rights that settings give to roles which nobody holds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from governance.cli.doctor_finding import PAGE, Examined, Finding, Named

if TYPE_CHECKING:
    from governance.cli.doctor_holders import Holders
    from governance.settings import Settings
    from projections.rows import RequestRow


@dataclass(frozen=True)
class WayOut:
    """A right by which a request gets on that waits in vain, and who can help where nobody holds its role."""

    role: str
    gives: str
    otherwise: str


def ways_out(settings: "Settings") -> dict[str, WayOut]:
    """Return the ways out by the kind of finding that they help with."""
    return {
        "unsatisfiable": WayOut(settings.break_glass_role, "gov break-glass", "an administrator can gov reassign"),
        "review": WayOut(settings.break_glass_review_role, "gov review", "an administrator can gov review"),
        "closed-calendar": WayOut(
            settings.window_override_role, "gov window override", "an administrator can gov window override"
        ),
        "unknown-checker": WayOut(settings.check_role, "an answer to a check", "a service can answer by record_check"),
    }


def unheld(examined: Examined) -> list[dict[str, str]]:
    """Return the roles of ways out that nobody holds, needed or not; none when no directory says who does."""
    found = ways_out(examined.governance.settings).values()
    holders = examined.holders
    return [{"role": each.role, "gives": each.gives} for each in found if holders and not holders.role(each.role)]


def dead_ways_out(
    examined: Examined, findings: Sequence[Finding], hopeless: Sequence[dict[str, Any]]
) -> Iterator[Finding]:
    """Yield ways out that requests would need now, and that nobody can take."""
    if examined.holders is None:
        return
    known = ways_out(examined.governance.settings)
    needed = {kind: [each for found in findings if found.kind == kind for each in found.requests] for kind in known}
    needed["unsatisfiable"] = [
        Named(request_id=each["request_id"], requirement_id=each["requirement_id"]) for each in hopeless
    ]
    for kind, way in known.items():
        if kind == "review":
            yield from _reviews(examined, examined.holders, way)
        elif needed[kind] and not examined.holders.role(way.role):
            yield _dead(way, needed[kind], f"nobody holds the role {way.role}")


def _reviews(examined: Examined, holders: "Holders", way: WayOut) -> Iterator[Finding]:
    """Whoever broke the glass or asked for the request may not review it, whatever their role."""
    held = holders.role(way.role)
    open_ones = [row.request_id for row in examined.views.agenda(due="review", limit=PAGE).items]
    rows = examined.views.requests(request_id=open_ones, limit=PAGE).items if open_ones else ()
    alone = [Named(request_id=row.request_id) for row in rows if not held - _had_a_part(row)]
    if alone:
        yield _dead(way, alone, f"nobody who had no part in it holds the role {way.role}")


def _had_a_part(row: "RequestRow") -> frozenset[str]:
    return frozenset(each for each in (row.requester, row.on_behalf_of, row.glass_broken_by) if each)


def _dead(way: WayOut, waiting: Sequence[Named], why: str) -> Finding:
    then = f"give somebody the role {way.role}; until then only {way.otherwise}"
    return Finding.about("dead-way-out", waiting, what=f"{why}, which gives the right to {way.gives}", next=then)
