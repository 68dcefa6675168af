"""Several processes that do the same work at once: `python -m scripts.benchmarks.crews NAME URL CALLERS CORE`.

Each opens its store once, then measures whenever it reads a number of seconds and whether (1) or not (0) it is to stay
on its core meanwhile, and answers with what it saw.
"""

import json
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from time import process_time

from scripts.benchmarks.contenders import working
from scripts.benchmarks.cores import one_core
from scripts.benchmarks.measure import Rate, rate_of, waits


class Crew:
    """So many processes with so many callers each."""

    def __init__(self, name: str, url: str, *, processes: int, callers: int) -> None:
        words = [sys.executable, "-m", "scripts.benchmarks.crews", name, url, str(callers)]
        self._members: list[subprocess.Popen[str]] = []
        for number in range(processes):
            # One after the other: the library cannot create its tables in two processes at once.
            member = subprocess.Popen([*words, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._members.append(member)
            _answer(member)

    def rate(self, seconds: float, *, pinned: bool = False) -> Rate:
        """Return the rate that all reach together in so many seconds; `pinned` keeps each on a core."""
        for member in self._members:
            _ask(member, f"{seconds} {pinned:d}")
        answers = [json.loads(_answer(member)) for member in self._members]
        longest = max(answer["seconds"] for answer in answers)
        every = [wait for answer in answers for wait in answer["waits"]]
        spent = sum(answer["cpu"] for answer in answers)
        return replace(rate_of(every, longest), cpu_us=spent / len(every) * 1e6)

    def close(self) -> None:
        """End the processes."""
        for member in self._members:
            member.communicate()


def _ask(member: "subprocess.Popen[str]", what: str) -> None:
    if member.stdin is not None:
        member.stdin.write(f"{what}\n")
        member.stdin.flush()


def _answer(member: "subprocess.Popen[str]") -> str:
    line = member.stdout.readline() if member.stdout is not None else ""
    if not line:
        msg = f"a process of the crew ended with {member.wait()}"
        raise RuntimeError(msg)
    return line


def main() -> None:
    """Be one process of a crew."""
    name, url, callers, core = sys.argv[1:]
    with working(name, url) as work:
        print("ready", flush=True)
        for line in sys.stdin:
            seconds, pinned = line.split()
            before = process_time()
            with one_core(int(core)) if int(pinned) else nullcontext():
                every, took = waits(work, callers=int(callers), seconds=float(seconds))
            print(json.dumps({"waits": every, "seconds": took, "cpu": process_time() - before}), flush=True)


if __name__ == "__main__":
    main()
