"""Consulting policies: plain ones in turn, async ones at the same time, and whatever goes wrong is a denial."""

import asyncio
import os
from collections.abc import Awaitable, Coroutine, Sequence
from concurrent.futures import Future
from threading import Lock, Thread
from time import perf_counter
from typing import Any, TypeVar

from governance.domain.catalog import AnyMutation, Catalog
from governance.domain.errors import GovernanceError, PolicyConflictError
from governance.domain.policies import Answer, Context, Policy, PolicySet, ReadState
from governance.domain.terms import Verdict
from governance.domain.values import clean, error_text

T = TypeVar("T")


class Consultation:
    """Asks every policy of a set about one mutation on one version of its state."""

    def __init__(self, catalog: Catalog, default_timeout: float) -> None:
        self._catalog = catalog
        self._default_timeout = default_timeout
        self._loop = LoopThread()

    def verdicts(
        self,
        policies: PolicySet,
        candidates: Sequence[AnyMutation],
        read: ReadState,
        context: Context,
    ) -> tuple[Verdict, ...]:
        """Return the verdict of every policy that applies, in the order of the set.

        An error, a timeout (in seconds, per policy) or a nonsense answer is a denial with its own code. Async policies
        are cancelled when the caller is interrupted.
        """
        waiting: dict[str, Future[Verdict | None]] = {}
        try:
            for policy in policies.policies:
                if policy.is_async:
                    waiting[policy.name] = self._loop.start(self._ask_in_time(policy, candidates, read, context))
            answers = [
                waiting[policy.name].result()
                if policy.is_async
                else run_plain(self._ask(policy, candidates, read, context))
                for policy in policies.policies
            ]
        finally:
            for future in waiting.values():
                future.cancel()
        return _without_conflict([each for each in answers if each is not None])

    def close(self) -> None:
        """End the thread on which async policies run."""
        self._loop.close()

    async def _ask_in_time(
        self, policy: Policy, candidates: Sequence[AnyMutation], read: ReadState, context: Context
    ) -> Verdict | None:
        try:
            async with asyncio.timeout(self._timeout(policy)):
                return await self._ask(policy, candidates, read, context)
        except TimeoutError:
            return self._late(policy, self._timeout(policy))

    async def _ask(
        self, policy: Policy, candidates: Sequence[AnyMutation], read: ReadState, context: Context
    ) -> Verdict | None:
        started = perf_counter()
        try:
            own = [_own(each) for each in candidates]
            answer = await policy.consult(own, read, context)
            verdict = None if answer is None else self._verdict(policy, answer)
        except PolicyConflictError as error:
            verdict = _denied(policy, "policy-conflict", str(error))
        except (TypeError, GovernanceError) as error:
            code = "policy-nonsense" if str(error).startswith("it answered") else "policy-error"
            verdict = _denied(policy, code, f"{type(error).__name__}: {error}")
        except Exception as error:
            verdict = _denied(policy, "policy-error", f"it raised {error_text(error)}")
        took = perf_counter() - started
        if verdict is not None and took > self._timeout(policy):
            verdict = self._late(policy, took)
        return None if verdict is None else verdict.model_copy(update={"took_ms": round(took * 1000, 3)})

    def _verdict(self, policy: Policy, answer: Answer) -> Verdict:
        return Verdict(
            policy=policy.name,
            decision=answer.decision,
            reason=clean(answer.reason) if answer.reason else None,
            code=clean(answer.code) if answer.code else None,
            severity=answer.severity,
            requirements=answer.requirements,
            amendment=None if answer.mutation is None else self._catalog.store(answer.mutation),
            metadata=answer.metadata,
        )

    def _timeout(self, policy: Policy) -> float:
        return self._default_timeout if policy.timeout is None else policy.timeout

    def _late(self, policy: Policy, took: float) -> Verdict:
        late = _denied(policy, "policy-timeout", f"it took longer than {self._timeout(policy):g} s")
        return late.model_copy(update={"took_ms": round(took * 1000, 3)})


_IMMUTABLE = (str, int, float, bool, type(None))


def _own(mutation: AnyMutation) -> AnyMutation:
    """Return a copy for one policy, so that none sees what another did to a mutable field; itself if it has none."""
    plain = all(isinstance(value, _IMMUTABLE) for value in mutation.__dict__.values())
    return mutation if plain else mutation.model_copy(deep=True)


def _denied(policy: Policy, code: str, reason: str) -> Verdict:
    return Verdict(policy=policy.name, decision="deny", code=code, reason=clean(reason), severity="critical")


def _without_conflict(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Return the verdicts, of two different amendments the second as a denial: they cannot both run."""
    first = next((each for each in verdicts if each.amendment is not None), None)
    return tuple(
        each
        if first is None or each.amendment in (None, first.amendment)
        else each.model_copy(
            update={
                "decision": "deny",
                "code": "policy-conflict",
                "reason": f"policies {first.policy} and {each.policy} want different mutations",
                "severity": "critical",
            },
        )
        for each in verdicts
    )


def run_plain(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that never waits; RuntimeError when it wants to, for then it needs a loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    msg = "a plain policy returned something to wait for; declare it with async def"
    raise RuntimeError(msg)


class LoopThread:
    """One event loop on a thread of its own, started when first needed, and anew in a forked process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = os.getpid()

    def start(self, awaitable: Awaitable[T]) -> "Future[T]":
        """Return the future of an awaitable that runs on the loop."""

        async def run() -> T:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(run(), self._running())

    def close(self) -> None:
        """Stop the loop if it runs."""
        with self._lock:
            loop, self._loop = self._loop, None
            if loop is not None and self._process == os.getpid():
                loop.call_soon_threadsafe(loop.stop)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._process != os.getpid():
                self._loop = asyncio.new_event_loop()
                self._process = os.getpid()
                Thread(target=_run, args=(self._loop,), name="governance-policies", daemon=True).start()
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
