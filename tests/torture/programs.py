"""What the processes of the torture tests do: each opens the store for itself, waits for the others, and acts."""

from typing import Any

from pydantic import JsonValue

from governance import Actor, Context, Governance, GovernanceError, Settings, policy, require
from governance import approval as needs
from tests.cases import GRACE, MUTATIONS, WORKER, Add, GrantAdmin, Roles, lead
from tests.processes import reach

Answer = dict[str, JsonValue]


@policy(GrantAdmin)
def two_leads(mutation: GrantAdmin, state: Roles, context: Context) -> object:
    return require(needs(role="lead", quorum=2))


def opened(url: str, **settings: Any) -> Governance:
    """Return the governance that all these programs use."""
    return Governance.open(url, mutations=MUTATIONS, policies=[two_leads], settings=Settings(**settings))


def told(call: Any) -> str:
    """Return what a call came to, in a word: a status or the name of an error."""
    try:
        answer = call()
    except GovernanceError as error:
        return type(error).__name__
    return str(getattr(answer, "request", answer).status)


def act(url: str, what: str, requests: list[str], who: str) -> list[str]:
    """Do one thing to every request in turn, each after a signal, and tell how it went."""
    with opened(url) as gov:
        gov.state("warm")
        answers = []
        for number, request_id in enumerate(requests):
            reach(str(number))
            answers.append(told(lambda key=request_id: _do(gov, what, key, who)))  # type: ignore[misc]
        return answers


def _do(gov: Governance, what: str, request_id: str, who: str) -> Any:
    match what:
        case "execute":
            return gov.execute(request_id, actor=WORKER)
        case "approve":
            return gov.approve(request_id, actor=lead(who))
        case "reject":
            return gov.reject(request_id, actor=lead(who))
        case "cancel":
            return gov.cancel(request_id, actor=GRACE)
        case "run with this key":
            return gov.run(
                Add(amount=1), state_id="hot", actor=Actor(id="grace"), reason="r", idempotency_key=request_id
            )
    raise ValueError(what)
