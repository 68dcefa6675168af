"""`policies`: what asking policies adds to a submission, with one and with ten."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from governance import Policy, allow, policy
from scripts.benchmarks import ours
from scripts.benchmarks.measure import Table, rate

NONE, ONE, TEN = "submit, no policy", "submit, 1 policy", "submit, 10 policies"


def some_policies(count: int) -> list[Policy]:
    """Return so many plain policies that look at mutation and state and have nothing against it."""

    def look(mutation: Any, state: Any, context: Any) -> Any:
        return allow("small") if mutation.requests_per_second != state.requests_per_second else allow()

    return [policy(ours.SetLimit, name=f"policy-{number}")(look) for number in range(count)]


def tables(url: str, folder: Path, seconds: float) -> Iterator[Table]:
    """Yield one table for each database."""
    stores = {"PostgreSQL": url, "SQLite": f"sqlite:///{folder / 'policies.db'}"}
    for database, store in stores.items():
        stack = ExitStack()
        contenders = {
            name: partial(
                rate,
                ours.submissions(stack.enter_context(ours.opened(store, some_policies(count)))),
                callers=1,
                seconds=seconds,
            )
            for name, count in ((NONE, 0), (ONE, 1), (TEN, 10))
        }
        yield Table(f"{database}, 1 caller, policies", contenders, NONE, stack.close)
