"""What operators see: the status as lines, a difference as lines, and the progress of a rebuild."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from projections.differences import Comparison
from projections.rebuild import Building, Report
from projections.status import Status

PLAIN_LINE_SECONDS = 2.0


def status_lines(found: Sequence[Status]) -> list[str]:
    """Return the status, one line a view, and below it what is wrong."""
    lines = []
    for each in found:
        lag = f"{each.lag_events:,} events, {each.lag_seconds:.1f} s behind" if each.lag_events else "nothing missing"
        worker = f", run by {each.holder}" if each.holder else ""
        lines.append(f"{each.view:<12} {each.health:<11} {each.position:,} of {each.head:,}, {lag}{worker}")
        if each.parked:
            lines.append(f"  {each.parked} EVENTS ARE LEFT OUT: see gov projections parked {each.view}")
        if each.error:
            lines.append(f"  {each.error_at:%Y-%m-%d %H:%M:%S} {each.error}")
        others = [one for one in each.generations if one.status != "live"]
        lines += [f"  generation {one.generation} {one.status}, at {one.position:,}" for one in others]
    return lines


def difference_lines(found: Comparison) -> list[str]:
    """Return how a generation differs from the live one, with samples of keys."""
    if found.equal:
        return [f"{found.view}: no row differs from the live ones"]
    note = "" if found.same_position else " (the live one had seen other events)"
    lines = []
    for table in found.tables:
        counts = f"{table.added:,} added, {table.changed:,} changed, {table.removed:,} removed"
        lines.append(f"{found.view}, table {table.table}: {counts}{note}")
        lines += [f"  {kind}: {', '.join('/'.join(key) for key in keys)}" for kind, keys in table.samples.items()]
    return lines


@contextmanager
def progress() -> Iterator[Report]:
    """Give a report that shows a bar with rate and time left on a terminal, and plain lines elsewhere."""
    if sys.stderr.isatty():
        with _bar() as report:
            yield report
        return
    last = 0.0

    def line(building: Building) -> None:
        nonlocal last
        if time.monotonic() - last < PLAIN_LINE_SECONDS and building.position < building.head:
            return
        last = time.monotonic()
        left = f"{building.eta_seconds:.0f} s left" if building.eta_seconds is not None else ""
        done = f"{building.position:,} of {building.head:,} events, {building.rate:,.0f}/s"
        sys.stderr.write(f"{', '.join(building.views)}: {done}, {left}\n")

    yield line


@contextmanager
def _bar() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("rebuilding", total=None, rate=0.0)

        def show(building: Building) -> None:
            bar.update(
                task,
                description=", ".join(building.views),
                total=building.head,
                completed=building.position,
                rate=building.rate,
            )

        yield show
