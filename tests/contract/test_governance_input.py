"""Whatever callers give is stored faithfully or refused by an error that names the field; then nothing is stored."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from governance import (
    Actor,
    BlastRadius,
    ConcurrencyError,
    ConfigurationError,
    Governance,
    GovernanceError,
    InputError,
    Intent,
    Mutation,
    NotFoundError,
    RejectionReason,
    StaleError,
    approval,
    group,
    role,
)
from governance.domain.frozen_json import FrozenDict, FrozenList
from tests.bad_values import ACTORS, JSON, NUMBERS, TEXTS, TIMES
from tests.cases import ALAN, GRACE, MUTATIONS, WORKER, GrantAdmin, Roles

pytestmark = pytest.mark.as_application

LATER = datetime.now(UTC) + timedelta(days=30)


class Keep(Mutation[Roles]):
    """Has a field of every kind that can go wrong."""

    text: str = ""
    number: int = 0
    fraction: float = 0.0
    anything: JsonValue = None
    moment: datetime = LATER

    def apply(self, state: Roles) -> Roles:
        return state


@pytest.fixture
def gov(store_url: str) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=[Keep, *MUTATIONS]) as gov:
        yield gov


@pytest.fixture
def reader(store_url: str, gov: Governance) -> Iterator[Governance]:
    """Another process, as it were: it has nothing in memory."""
    with Governance.open(store_url, mutations=[Keep, *MUTATIONS]) as reader:
        yield reader


@dataclass(frozen=True)
class Place:
    """Where a value enters: the call, what reads it back (None when it is not stored), and what names it in errors."""

    call: Callable[[Governance, Any], Any]
    read: Callable[[Governance, Any], Any] | None
    fields: str
    also: tuple[type[GovernanceError], ...] = ()


def submit(gov: Governance, **others: Any) -> Any:
    """Submit something, somehow."""
    usual: dict[str, Any] = {"mutation": Keep(), "state_id": "s", "actor": GRACE, "reason": "r"}
    return gov.submit(**usual | others)


def waiting(gov: Governance) -> str:
    """Return the id of a request that waits for two leads."""
    request = gov.submit(
        GrantAdmin(user="ada"), state_id="s", actor=GRACE, reason="r", requires=[approval(role="lead", quorum=2)]
    )
    return request.id


def last(reader: Governance, result: Any) -> Any:
    """Return the last event of a request, as stored."""
    return reader.history(result.id)[-1].event


def last_but_one(reader: Governance, result: Any) -> Any:
    """Return the event before the last one of a request, as stored."""
    return reader.history(result.id)[-2].event


def stored(name: str) -> Callable[[Governance, Any], Any]:
    """Return what reads an attribute of a request back."""

    def read(reader: Governance, result: Any) -> Any:
        value: Any = reader.request(result.id)
        for part in name.split("."):
            value = (
                value[int(part)]
                if part.isdigit()
                else value.get(part)
                if isinstance(value, dict)
                else getattr(value, part)
            )
        return value

    return read


TEXT_PLACES: dict[str, Place] = {
    "state": Place(lambda gov, x: submit(gov, state_id=x), stored("state_id"), "state_id"),
    "reason": Place(lambda gov, x: submit(gov, reason=x), stored("reason"), "reason"),
    "actor": Place(lambda gov, x: submit(gov, actor=Actor(id=x)), stored("requester.id"), "id"),
    "actor's name": Place(lambda gov, x: submit(gov, actor=Actor(id="a", name=x)), stored("requester.name"), "name"),
    "role": Place(lambda gov, x: submit(gov, actor=Actor(id="a", roles=(x,))), stored("requester.roles.0"), "roles"),
    "roles": Place(lambda gov, x: submit(gov, actor=Actor(id="a", roles=x)), stored("requester.roles"), "roles"),
    "group": Place(lambda gov, x: submit(gov, actor=Actor(id="a", groups=(x,))),
                   stored("requester.groups.0"), "groups"),
    "acting for": Place(lambda gov, x: submit(gov, actor=Actor(id="a", on_behalf_of=x)),
                        stored("requester.on_behalf_of"), "on_behalf_of"),
    "kind of actor": Place(lambda gov, x: submit(gov, actor=Actor(id="a", kind=x)), stored("requester.kind"), "kind"),
    "mutation": Place(lambda gov, x: submit(gov, mutation=x), None, "mutation"),
    "text of a mutation": Place(lambda gov, x: submit(gov, mutation=Keep(text=x)), stored("mutation.payload.text"),
                                "text mutation"),
    "stale": Place(lambda gov, x: submit(gov, stale=x), stored("stale"), "stale"),
    "mode": Place(lambda gov, x: submit(gov, mode=x), None, "mode"),
    "requires": Place(lambda gov, x: submit(gov, requires=x), None, "requires"),
    "required": Place(lambda gov, x: submit(gov, requires=[x]), None, "requires"),
    "intent": Place(lambda gov, x: submit(gov, intent=x), None, "intent"),
    "idempotency key": Place(lambda gov, x: submit(gov, idempotency_key=x), stored("idempotency_key"),
                             "idempotency_key"),
    "correlation": Place(lambda gov, x: submit(gov, correlation_id=x), stored("correlation_id"), "correlation_id"),
    "superseded": Place(lambda gov, x: submit(gov, supersedes=x), None, "supersedes"),
    "category": Place(lambda gov, x: submit(gov, intent=Intent(category=x)), stored("intent.category"), "category"),
    "description": Place(lambda gov, x: submit(gov, intent=Intent(description=x)), stored("intent.description"),
                         "description"),
    "tag": Place(lambda gov, x: submit(gov, intent=Intent(tags=(x,))), stored("intent.tags.0"), "tags"),
    "reach": Place(lambda gov, x: submit(gov, intent=Intent(blast_radius=BlastRadius(text=x))),
                   stored("intent.blast_radius.text"), "text"),
    "name of a requirement": Place(lambda gov, x: submit(gov, requires=[approval(role="r", name=x)]),
                                   stored("requirements.0.asked.name"), "approval.name"),
    "role asked for": Place(lambda gov, x: submit(gov, requires=[approval(any_of=[role(x)])]),
                            stored("requirements.0.asked.approvers.0.id"), "id"),
    "group asked for": Place(lambda gov, x: submit(gov, requires=[approval(any_of=[group(x)])]),
                             stored("requirements.0.asked.approvers.0.id"), "id"),
    "comment": Place(lambda gov, x: gov.comment(waiting(gov), actor=ALAN, text=x),
                     lambda r, x: last(r, x).text, "text"),
    "comment on a yes": Place(lambda gov, x: gov.approve(waiting(gov), actor=ALAN, comment=x),
                              lambda r, x: last(r, x).comment, "comment"),
    "comment on a no": Place(lambda gov, x: gov.reject(waiting(gov), actor=ALAN, comment=x),
                             lambda r, x: last_but_one(r, x).comment, "comment"),
    "reason of a no": Place(lambda gov, x: gov.reject(waiting(gov), actor=ALAN, reason=x),
                            lambda r, x: last_but_one(r, x).rejection.message, "reason"),
    "code of a no": Place(lambda gov, x: gov.reject(waiting(gov), actor=ALAN, reason=RejectionReason(code=x)),
                          lambda r, x: last_but_one(r, x).rejection.code, "code"),
    "message of a no": Place(lambda gov, x: gov.reject(waiting(gov), actor=ALAN, reason=RejectionReason(message=x)),
                             lambda r, x: last_but_one(r, x).rejection.message, "message"),
    "requirement": Place(lambda gov, x: gov.approve(waiting(gov), actor=ALAN, requirement=x), None, "requirement",
                         (NotFoundError,)),
    "requirement of a withdrawal": Place(lambda gov, x: gov.withdraw(waiting(gov), actor=ALAN, requirement=x), None,
                                         "requirement", (NotFoundError,)),
    "seen": Place(lambda gov, x: gov.approve(waiting(gov), actor=ALAN, seen=x), None, "seen", (StaleError,)),
    "reason to cancel": Place(lambda gov, x: gov.cancel(waiting(gov), actor=GRACE, reason=x),
                              lambda r, x: last(r, x).reason, "reason"),
    "delegate": Place(lambda gov, x: gov.delegate(waiting(gov), actor=ALAN, to=x, until=LATER),
                      lambda r, x: last(r, x).delegate, "to"),
    "reason to delegate": Place(lambda gov, x: gov.delegate(waiting(gov), actor=ALAN, to="x", until=LATER, reason=x),
                                lambda r, x: last(r, x).reason, "reason"),
    "request": Place(lambda gov, x: gov.request(x), None, "request_id"),
    "request to approve": Place(lambda gov, x: gov.approve(x, actor=ALAN), None, "request_id"),
    "request to execute": Place(lambda gov, x: gov.execute(x, actor=WORKER), None, "request_id"),
    "request to compensate": Place(lambda gov, x: gov.compensate(x, actor=GRACE, reason="r"), None, "request_id"),
    "request to preview": Place(lambda gov, x: gov.preview(x), None, "request_id"),
    "request to explain": Place(lambda gov, x: gov.explain(x), None, "request_id"),
    "request to tell": Place(lambda gov, x: gov.history(x), None, "request_id"),
    "request to expire": Place(lambda gov, x: gov.expire(x), None, "request_id"),
    "state to read": Place(lambda gov, x: gov.state(x), lambda r, x: x.id, "state_id"),
    "state to tell": Place(lambda gov, x: gov.state_history(x), None, "state_id"),
}  # fmt: skip

JSON_PLACES: dict[str, Place] = {
    "metadata": Place(lambda gov, x: submit(gov, metadata=x), stored("metadata"), "metadata"),
    "metadata of an intent": Place(lambda gov, x: submit(gov, intent=Intent(metadata=x)), stored("intent.metadata"),
                                   "metadata intent.metadata"),
    "metadata of a no": Place(lambda gov, x: gov.reject(waiting(gov), actor=ALAN, reason=RejectionReason(metadata=x)),
                              lambda r, x: last_but_one(r, x).rejection.metadata, "metadata reason.metadata"),
    "anything in a mutation": Place(lambda gov, x: submit(gov, mutation=Keep(anything=x)),
                                    stored("mutation.payload.anything"), "anything mutation"),
    "unchecked mutation": Place(lambda gov, x: submit(gov, mutation=Keep.model_construct(anything=x)),
                                stored("mutation.payload.anything"), "anything mutation"),
}  # fmt: skip

TIME_PLACES: dict[str, Place] = {
    "deadline": Place(lambda gov, x: submit(gov, expires_at=x), stored("expires_at"), "expires_at"),
    "deadline of an approval": Place(lambda gov, x: submit(gov, requires=[approval(role="r", expires_at=x)]),
                                     stored("requirements.0.expires_at"), "approval.expires_at", (ConfigurationError,)),
    "time in a mutation": Place(lambda gov, x: submit(gov, mutation=Keep(moment=x)), None, "moment mutation"),
    "end of a delegation": Place(lambda gov, x: gov.delegate(waiting(gov), actor=ALAN, to="x", until=x),
                                 lambda r, x: last(r, x).until, "until"),
    "time to read a state at": Place(lambda gov, x: gov.state("s", at=x), None, "at"),
}  # fmt: skip

NUMBER_PLACES: dict[str, Place] = {
    "expected version": Place(lambda gov, x: submit(gov, expected_version=x), None, "expected_version", (StaleError,)),
    "expected version of a request": Place(lambda gov, x: gov.approve(waiting(gov), actor=ALAN, expected_version=x),
                                           None, "expected_version", (ConcurrencyError,)),
    "quorum": Place(lambda gov, x: submit(gov, requires=[approval(role="r", quorum=x)]),
                    stored("requirements.0.asked.quorum"), "approval.quorum", (ConfigurationError,)),
    "step": Place(lambda gov, x: submit(gov, requires=[approval(role="r", step=x)]),
                  stored("requirements.0.asked.step"), "approval.step", (ConfigurationError,)),
    "count": Place(lambda gov, x: submit(gov, intent=Intent(blast_radius=BlastRadius(count=x)), idempotency_key="k"),
                   stored("intent.blast_radius.count"), "count"),
    "number in a mutation": Place(lambda gov, x: submit(gov, mutation=Keep(number=x)),
                                  stored("mutation.payload.number"), "number mutation"),
    "fraction in a mutation": Place(lambda gov, x: submit(gov, mutation=Keep(fraction=x)), None, "fraction mutation"),
    "version of a state": Place(lambda gov, x: gov.state("s", version=x), None, "version", (NotFoundError,)),
}  # fmt: skip

ACTOR_PLACES: dict[str, Place] = {
    "who submits": Place(lambda gov, x: submit(gov, actor=x), None, "actor"),
    "who runs": Place(lambda gov, x: gov.run(Keep(), state_id="s", actor=x, reason="r"), None, "actor"),
    "who approves": Place(lambda gov, x: gov.approve(waiting(gov), actor=x), None, "actor"),
    "who rejects": Place(lambda gov, x: gov.reject(waiting(gov), actor=x), None, "actor"),
    "who withdraws": Place(lambda gov, x: gov.withdraw(waiting(gov), actor=x), None, "actor"),
    "who comments": Place(lambda gov, x: gov.comment(waiting(gov), actor=x, text="t"), None, "actor"),
    "who cancels": Place(lambda gov, x: gov.cancel(waiting(gov), actor=x), None, "actor"),
    "who expires": Place(lambda gov, x: gov.expire(waiting(gov), actor=x), None, "actor"),
    "who executes": Place(lambda gov, x: gov.execute(submit(gov).id, actor=x), None, "actor"),
    "who delegates": Place(lambda gov, x: gov.delegate(waiting(gov), actor=x, to="x", until=LATER), None, "actor"),
    "who previews": Place(lambda gov, x: gov.preview(waiting(gov), actor=x), None, "actor"),
}

MATRIX = [
    (place, values, name)
    for places, values in (
        (TEXT_PLACES, TEXTS),
        (JSON_PLACES, JSON),
        (TIME_PLACES, TIMES),
        (NUMBER_PLACES, NUMBERS),
        (ACTOR_PLACES, ACTORS),
    )
    for name, place in places.items()
]


@pytest.mark.parametrize(("place", "values"), [each[:2] for each in MATRIX], ids=[each[2] for each in MATRIX])
def test_value_is_stored_faithfully_or_refused_by_name(
    gov: Governance, reader: Governance, place: Place, values: dict[str, Any]
) -> None:
    wrong = [f"{name}: {told}" for name, value in values.items() if (told := problem(gov, reader, place, value))]
    assert not wrong, "\n".join(wrong)


def problem(gov: Governance, reader: Governance, place: Place, value: Any) -> str | None:
    """Return what went wrong with a value at a place, None when nothing did."""
    before = gov.log.head()
    try:
        result = place.call(gov, value)
    except InputError as error:
        named = [field for field in place.fields.split() if error.ids["field"].startswith(field)]
        return _stored_anyway(gov, before) or (None if named else f"names {error.ids['field']}")
    except place.also as error:
        return _stored_anyway(gov, before) if len(str(error)) < 2_000 else "tells too much"
    except Exception as error:
        return f"raised {type(error).__name__}: {str(error)[:200]}"
    if place.read is None:
        return None
    read = place.read(reader, result)
    return None if _same(read, value) else f"came back as {read!r:.80}"


def _stored_anyway(gov: Governance, before: int) -> str | None:
    new = [type(each.event).__name__ for each in gov.log.feed(before, 10)]
    return (
        None
        if new
        in ([], ["Created", "PoliciesEvaluated", "PendingApproval"], ["Created", "PoliciesEvaluated", "Approved"])
        else f"stored {new}"
    )


def _same(read: Any, given: Any) -> bool:
    if isinstance(given, list | set | tuple) and isinstance(read, tuple):
        return tuple(given) == read
    if isinstance(read, FrozenDict | FrozenList):
        return isinstance(read, type(given)) and bool(read == given)
    return (type(read) is type(given) and bool(read == given)) or (isinstance(given, str) and str(given) == read)
