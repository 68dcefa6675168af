"""Measuring: how often a piece of work can be done in a second by so many callers, and how long each waits for it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from threading import Barrier, Thread
from time import perf_counter, process_time

Work = Callable[[int, int], None]
"""One piece of work; is told which caller it is and how many it has done."""


@dataclass(frozen=True)
class Rate:
    """How often a second, and how many milliseconds half and 99 of 100 took; None where only the rate is known.

    `peak_mb` is the most memory that a process of its own had, in MiB; `cpu_us` the processor's microseconds that the
    callers' own processes took for each piece of work, without the server's. A million divided by it is what one
    interpreter could do at best.
    """

    per_second: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    peak_mb: float | None = None
    cpu_us: float | None = None


@dataclass(frozen=True)
class Table:
    """What is measured side by side, and which of the contenders the others are compared with."""

    title: str
    contenders: Mapping[str, Callable[[], Rate]]
    reference: str
    ended: Callable[[], None] = field(default=lambda: None)
    """Lets go of what the contenders hold."""


def waits(work: Work, *, callers: int, seconds: float) -> tuple[list[float], float]:
    """Return how long each piece of work took so many threads in so many seconds, and how many seconds it were."""
    each_waited: list[list[float]] = [[] for _ in range(callers)]
    errors: list[BaseException] = []
    start = Barrier(callers + 1)

    def call(caller: int) -> None:
        try:
            start.wait()
            ends = perf_counter() + seconds
            done = 0
            while (began := perf_counter()) < ends:
                work(caller, done)
                done += 1
                each_waited[caller].append(perf_counter() - began)
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=call, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    start.wait()
    began = perf_counter()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [wait for each in each_waited for wait in each], perf_counter() - began


def rate(work: Work, *, callers: int, seconds: float) -> Rate:
    """Return the rate of the work done by so many threads at once for so many seconds; raises what the work raises."""
    before = process_time()
    every, took = waits(work, callers=callers, seconds=seconds)
    return replace(rate_of(every, took), cpu_us=(process_time() - before) / len(every) * 1e6)


def rate_of(every: Iterable[float], seconds: float) -> Rate:
    """Return the rate at which pieces of work were done that took so long each."""
    ordered = sorted(every)
    return Rate(
        per_second=len(ordered) / seconds,
        p50_ms=ordered[len(ordered) // 2] * 1000,
        p99_ms=ordered[len(ordered) * 99 // 100] * 1000,
    )


def interleaved(contenders: Mapping[str, Callable[[], Rate]], rounds: int) -> dict[str, list[Rate]]:
    """Return the rates of every contender over rounds in which each has its turn, so that drift meets all alike."""
    seen: dict[str, list[Rate]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            seen[name].append(measure())
    return seen


def middle(rates: list[Rate]) -> Rate:
    """Return the round with the median rate."""
    return sorted(rates, key=lambda each: each.per_second)[len(rates) // 2]


def ratio(rates: list[Rate], to: list[Rate]) -> float:
    """Return the median of what the rounds say, each compared with the reference of its own round."""
    return median(one.per_second / other.per_second for one, other in zip(rates, to, strict=True))
