"""Measuring: how often a piece of work can be done in a second by so many callers, and how long each waits for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Barrier, Thread
from time import perf_counter

Work = Callable[[int, int], None]
"""One piece of work; is told which caller it is and how many it has done."""


@dataclass(frozen=True)
class Rate:
    """How often a second, and how many milliseconds half and 99 of 100 took; None where only the rate is known."""

    per_second: float
    p50_ms: float | None = None
    p99_ms: float | None = None


def rate(work: Work, *, callers: int, seconds: float) -> Rate:
    """Return the rate of the work done by so many threads at once for so many seconds; raises what the work raises."""
    waits: list[list[float]] = [[] for _ in range(callers)]
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
                waits[caller].append(perf_counter() - began)
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
    every = sorted(wait for each in waits for wait in each)
    return Rate(
        per_second=len(every) / (perf_counter() - began),
        p50_ms=every[len(every) // 2] * 1000,
        p99_ms=every[len(every) * 99 // 100] * 1000,
    )


def interleaved(contenders: Mapping[str, Callable[[], Rate]], rounds: int) -> dict[str, Rate]:
    """Return the median of every contender over rounds in which each has its turn, so that drift meets all alike."""
    seen: dict[str, list[Rate]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            seen[name].append(measure())
    return {name: sorted(rates, key=lambda each: each.per_second)[len(rates) // 2] for name, rates in seen.items()}
