"""What the processes of the torture tests do: each opens the store for itself, waits for the others, and acts."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from pydantic import JsonValue

from governance import Actor, Governance, GovernanceError, Settings, approval, policy, require
from governance.event_store.log import EventLog
from tests.cases import GRACE, MUTATIONS, WORKER, Add, GrantAdmin, lead
from tests.processes import reach

two_leads = policy(GrantAdmin, name="two_leads")(lambda *_: require(approval(role="lead", quorum=2)))


def opened(url: str, **settings: Any) -> Governance:
    """Return the governance that all these programs use."""
    return Governance.open(url, mutations=MUTATIONS, policies=[two_leads], settings=Settings(**settings))


def told(call: Callable[[], Any]) -> str:
    """Return what a call came to, in a word: a status or the name of an error."""
    try:
        answer = call()
    except GovernanceError as error:
        return type(error).__name__
    return str(getattr(answer, "request", answer).status)


def act(url: str, what: str, requests: list[str], who: str = "a") -> list[JsonValue]:
    """Do one thing to every request in turn, each after a signal, and tell how it went."""
    with opened(url) as gov:
        gov.state("warm")
        answers: list[JsonValue] = []
        for number, request_id in enumerate(requests):
            reach(str(number))
            answers.append(told(lambda key=request_id: _do(gov, what, key, who)))  # type: ignore[misc]
        return answers


def _do(gov: Governance, what: str, key: str, who: str) -> Any:
    match what:
        case "execute":
            return gov.execute(key, actor=WORKER)
        case "approve":
            return gov.approve(key, actor=lead(who))
        case "reject":
            return gov.reject(key, actor=lead(who))
        case "cancel":
            return gov.cancel(key, actor=GRACE)
        case "run":
            return gov.run(Add(amount=1), state_id="hot", actor=Actor(id="grace"), reason="r", idempotency_key=key)
    return _do_linked(gov, what, key, who)


def _do_linked(gov: Governance, what: str, key: str, who: str) -> Any:
    match what:
        case "supersede":
            old, _, new = key.partition(">")
            return gov.supersede(old, by=new, actor=GRACE)
        case "put right":
            return gov.execute(gov.compensate(key, actor=GRACE, reason="r").id, actor=WORKER)
        case "execute batch":
            return gov.execute_batch(key, actor=WORKER).batch
        case "approve batch":
            return gov.approve_batch(key, actor=lead(who))
    raise ValueError(what)


Trial = dict[str, JsonValue]
CALLS = 8
"""How often a life appends."""


def live(gov: Governance, state_id: str, tell: Callable[[str], None]) -> None:
    """Lead a request from submission to compensation, and tell each answer."""
    request = gov.submit(GrantAdmin(user="ada"), state_id=state_id, actor=GRACE, reason="r", idempotency_key=state_id)
    tell(f"submitted {request.id}")
    gov.approve(request.id, actor=lead("alan"))
    tell("approved once")
    gov.approve(request.id, actor=lead("edsger"))
    tell("approved twice")
    gov.execute(request.id, actor=WORKER)
    tell("executed")
    undo = gov.compensate(request.id, actor=GRACE, reason="r")
    tell(f"compensation {undo.id}")
    gov.execute(undo.id, actor=WORKER)
    tell("compensated")
    gov.run(Add(amount=1), state_id=f"{state_id}-count", actor=GRACE, reason="r", idempotency_key=f"{state_id}-run")
    tell("ran")
    gov.comment(request.id, actor=GRACE, text="done")
    tell("commented")


def crash(url: str, trials: int) -> list[Trial]:
    """Start lives one after the other and kill each: at a named point or after a time; return what each had told.

    The process that is killed is a fork of this one, which is warm and has never opened the store.
    """
    lives: list[Trial] = []
    seconds = _time_of_a_life(url)
    for number in range(trials):
        named = number % 3 == 0
        point = (number // 3) % (2 * CALLS) if named else None
        after = None if named else seconds * (number / trials)
        lives.append({"state": f"t{number}", "told": _life(url, f"t{number}", point, after)})
    return lives


def _time_of_a_life(url: str) -> float:
    started = time.monotonic()
    assert len(_life(url, "whole", None, None)) == CALLS
    return (time.monotonic() - started) * 1.1


def _life(url: str, state_id: str, point: int | None, after: float | None) -> list[JsonValue]:
    return killed(url, lambda gov, tell: live(gov, state_id, tell), point, after)


Work = Callable[[Governance, Callable[[str], None]], None]
"""What is done with the store, telling each answer."""


def killed(url: str, work: Work, point: int | None, after: float | None) -> list[JsonValue]:
    """Return what a fork of this process told before it was killed: at a point of its appends, or after some seconds.

    Points are those of `killing`. Without either it is not killed.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_killed(url, work, point, writing)
    os.close(writing)
    with os.fdopen(reading) as lines:
        if after is not None:
            time.sleep(after)
            os.kill(child, signal.SIGKILL)
        told = lines.read().splitlines()
    os.waitpid(child, 0)
    return list(told)


def _be_killed(url: str, work: Work, point: int | None, writing: int) -> None:
    try:
        if point is not None:
            EventLog.append = killing(EventLog.append, point)  # type: ignore[method-assign]
        with opened(url) as gov:
            work(gov, lambda line: _write(writing, line))
    finally:
        os._exit(0)


def _write(writing: int, line: str) -> None:
    os.write(writing, f"{line}\n".encode())


def killing(append: Callable[..., Any], point: int) -> Callable[..., Any]:
    """Return an append that ends the process: before (even points) or after (odd points) it has stored its events."""
    calls = 0

    def killing(log: EventLog, recorded: Any) -> Any:
        nonlocal calls
        number, calls = calls, calls + 1
        if point == 2 * number:
            os.kill(os.getpid(), signal.SIGKILL)
        stored = append(log, recorded)
        if point == 2 * number + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return stored

    return killing
