"""Metrics in the text format of Prometheus: what this worker did, and what its sources say of the store."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Final, NamedTuple

from governance.engines.engine import Performed

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0, 86400.0)
"""Upper bounds of the buckets of all histograms, in seconds."""
_TOLD: Final = {
    "governance_worker_items_total": (
        "counter",
        "Items this worker has performed, by engine, result and what came of it",
    ),
    "governance_worker_troubles_total": ("counter", "Errors of this worker's crews and duties"),
    "governance_worker_seconds": ("histogram", "How long this worker worked on an item"),
    "governance_worker_late_seconds": ("histogram", "From when an item was due until this worker had performed it"),
    "governance_decision_seconds": (
        "histogram",
        "From submission to approval or rejection, of all requests of the log",
    ),
    "governance_execution_seconds": ("histogram", "From approval to execution, of all requests of the log"),
}

Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """A number that a source tells when it is asked."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = {}


Source = Callable[[], Iterable[Sample]]


class Histogram:
    """How often a time fell into each bucket."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one time."""
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds

    def lines(self, name: str, labels: Labels) -> Iterable[str]:
        """Return the histogram's lines."""
        count = 0
        for bound, number in zip((*map(str, BOUNDS), "+Inf"), self.buckets, strict=True):
            count += number
            yield _line(f"{name}_bucket", (*labels, ("le", bound)), count)
        yield _line(f"{name}_sum", labels, self.sum)
        yield _line(f"{name}_count", labels, count)


class Metrics:
    """What one worker counts; safe for threads."""

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        self._sources = tuple(sources)
        self._lock = Lock()
        self._counters: dict[tuple[str, Labels], int] = {}
        self._histograms: dict[tuple[str, Labels], Histogram] = {}

    def performed(self, engine: str, performed: Performed, *, took_seconds: float, late_seconds: float) -> None:
        """Count an item that was performed; how late it was counts for what is off the agenda now."""
        labels = (("engine", engine), ("result", performed.result), ("what", performed.what))
        self.count("governance_worker_items_total", labels)
        self.observe("governance_worker_seconds", (("engine", engine),), took_seconds)
        if performed.result == "done":
            self.observe("governance_worker_late_seconds", (("engine", engine),), late_seconds)

    def trouble(self, part: str) -> None:
        """Count an error of a part of the worker."""
        self.count("governance_worker_troubles_total", (("part", part),))

    def count(self, name: str, labels: Labels) -> None:
        """Count one more."""
        with self._lock:
            self._counters[name, labels] = self._counters.get((name, labels), 0) + 1

    def observe(self, name: str, labels: Labels, seconds: float) -> None:
        """Count a time."""
        with self._lock:
            known = self._histograms.get((name, labels))
            if known is None:
                known = self._histograms[name, labels] = Histogram()
            known.observe(seconds)

    def total(self, name: str, **labels: str) -> int:
        """Return the sum of the counters of a name that have these labels."""
        with self._lock:
            found = [(dict(each), number) for (known, each), number in self._counters.items() if known == name]
        return sum(number for each, number in found if labels.items() <= each.items())

    def text(self) -> str:
        """Return everything in Prometheus' text format; a source that fails is left out and told of."""
        lines: list[str] = []
        with self._lock:
            for name in sorted({name for name, _ in (*self._counters, *self._histograms)}):
                kind, told = _TOLD[name]
                lines += [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
                lines += [_line(name, each, value) for (known, each), value in self._counters.items() if known == name]
                for (known, each), histogram in self._histograms.items():
                    lines += histogram.lines(name, each) if known == name else ()
        return "\n".join([*lines, *self._gauges()]) + "\n"

    def _gauges(self) -> Iterable[str]:
        silent = 0
        told: dict[str, list[Sample]] = {}
        for source in self._sources:
            try:
                for sample in source():
                    told.setdefault(sample.name, []).append(sample)
            except Exception:
                silent += 1
        for name, samples in told.items():
            yield f"# HELP {name} {samples[0].help}"
            yield f"# TYPE {name} gauge"
            yield from (_line(name, tuple(each.labels.items()), each.value) for each in samples)
        yield "# HELP governance_worker_silent_sources Sources of metrics that could not be asked"
        yield "# TYPE governance_worker_silent_sources gauge"
        yield _line("governance_worker_silent_sources", (), silent)


def _line(name: str, labels: Labels, value: float) -> str:
    told = ",".join(f'{key}="{_escaped(each)}"' for key, each in labels)
    return f"{name}{{{told}}} {value:g}" if told else f"{name} {value:g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
