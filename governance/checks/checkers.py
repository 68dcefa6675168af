"""Checkers: what is called to answer for an external check, one for each name."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

from governance.domain.errors import ConfigurationError
from governance.domain.frozen_json import FrozenDict, JsonObject
from governance.domain.mutations import StoredMutation
from governance.domain.values import Value


class Check(Value):
    """What a checker is asked about.

    `key` is the same each time that this is asked, so that whatever is opened for it outside can be found again;
    `token` lets whoever has it answer once for exactly this content (None without `settings.callback_key`).
    """

    name: str
    key: str
    request_id: str
    state_id: str
    mutation: StoredMutation
    requester: str
    on_behalf_of: str | None
    reason: str
    digest: str
    opened_at: datetime
    token: str | None = None


@dataclass(frozen=True)
class Finding:
    """What a checker found: yes, no, or (None) not yet."""

    passed: bool | None
    evidence: JsonObject = field(default_factory=FrozenDict)


def passed(evidence: dict[str, Any] | None = None) -> Finding:
    """Return yes, with what proves it."""
    return Finding(True, FrozenDict(evidence or {}))


def failed(evidence: dict[str, Any] | None = None) -> Finding:
    """Return no, with what proves it."""
    return Finding(False, FrozenDict(evidence or {}))


def not_yet() -> Finding:
    """Return that there is no answer yet: the checker is asked again, or a callback answers."""
    return Finding(None)


Answer = Finding | bool | None
Ask = Callable[[Check], Answer | Awaitable[Answer]]


@dataclass(frozen=True, kw_only=True)
class Checker:
    """Answers for the checks of a name.

    `ask` is plain or async, and may be called again with the same `key`; None leaves answering to callbacks. One call
    may take `timeout`, is tried `attempts` times in a row when it raises, and is made again after `every` when there is
    no answer yet. After `failures` calls in a row that raised, none is made for `rest`. `cancel` is called at least
    once when nobody waits for the answer any more.
    """

    name: str
    ask: Ask | None = None
    cancel: Callable[[Check], object] | None = None
    timeout: timedelta = timedelta(seconds=5)
    attempts: int = 3
    every: timedelta = timedelta(seconds=30)
    failures: int = 5
    rest: timedelta = timedelta(seconds=30)


def checker(name: str, **settings: Any) -> Callable[[Ask], Checker]:
    """Make a function of the `Check` the checker of a name; takes what `Checker` takes besides."""

    def decorate(ask: Ask) -> Checker:
        return Checker(name=name, ask=ask, **settings)

    return decorate


class Checkers:
    """The checkers of an application, by name."""

    def __init__(self, checkers: Iterable[Checker] = ()) -> None:
        given = tuple(checkers)
        if not all(isinstance(each, Checker) for each in given):
            msg = "checkers: every item must be a Checker, such as @checker(name) makes"
            raise ConfigurationError(msg)
        self._known = {each.name: each for each in given}
        if len(self._known) != len(given):
            msg = "checkers: every checker has a name of its own"
            raise ConfigurationError(msg)

    def knows(self, name: str) -> bool:
        """Return whether somebody answers for checks of the name."""
        return name in self._known

    def refuse_unknown(self, name: str) -> None:
        """Refuse a check that nobody answers for: ConfigurationError."""
        if name not in self._known:
            known = ", ".join(self._known) or "none"
            msg = f"there is no checker {name} (there are: {known})"
            raise ConfigurationError(msg, check=name)

    def get(self, name: str) -> Checker:
        """Return the checker of a name; ConfigurationError when there is none."""
        self.refuse_unknown(name)
        return self._known[name]

    @property
    def longest(self) -> timedelta:
        """Return how long the calls for one item may take at most."""
        return max((each.timeout * each.attempts for each in self._known.values()), default=timedelta())


def called(ask: Callable[[Check], object], check: Check, timeout: timedelta) -> object:
    """Return what a plain or async function answers, TimeoutError after the time; raises what it raises.

    It runs on a thread of its own, which is left behind when it does not come back in time.
    """
    done: list[tuple[object, BaseException | None]] = []

    def work() -> None:
        try:
            answer: Any = ask(check)
            done.append((asyncio.run(_awaited(answer)) if inspect.isawaitable(answer) else answer, None))
        except BaseException as error:
            done.append((None, error))

    thread = Thread(target=work, name=f"governance-check-{check.name}", daemon=True)
    thread.start()
    thread.join(timeout.total_seconds())
    if not done:
        msg = f"check {check.name} did not answer within {timeout.total_seconds():g} s"
        raise TimeoutError(msg)
    answer, error = done[0]
    if error is not None:
        raise error
    return answer


async def _awaited(answer: Awaitable[object]) -> object:
    return await answer


def finding_of(name: str, answer: object) -> Finding:
    """Return the finding that a checker's answer is; TypeError for one that is none."""
    if isinstance(answer, Finding):
        return answer
    if answer is None or isinstance(answer, bool):
        return Finding(answer)
    msg = (
        f"checker {name} answered {type(answer).__name__}, not passed(...), failed(...), not_yet(), True, False or None"
    )
    raise TypeError(msg)
