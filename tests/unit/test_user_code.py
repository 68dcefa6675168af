"""Mutations that misbehave: they raise, answer nonsense, or change what they are shown."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from pydantic import BaseModel

from governance import (
    Effect,
    Governance,
    GovernanceError,
    Mutation,
    Settings,
    Status,
)
from tests.cases import GRACE, MUTATIONS, WORKER, GrantAdmin, Roles, unchecked


class Item(BaseModel):
    """A state with parts that can be changed in place."""

    names: list[str] = []
    size: float = 0.0


class Notice(Effect):
    contract = "mail"
    to: str


class NoContract(Effect):
    to: str


class BadContract(Effect):
    contract = ""


class Odd(Mutation[Item]):
    """Does what the test says."""

    how: str = ""

    def apply(self, state: Item) -> Item:
        done: Item = _do("apply", _same, self, state)
        return done

    def validate_on(self, state: Item) -> list[str]:
        done: list[str] = _do("validate_on", lambda *_: [], self, state)
        return done

    def effects(self, before: Item, after: Item) -> list[Effect]:
        done: list[Effect] = _do("effects", lambda *_: [], before, after)
        return done

    def reads(self) -> list[str] | None:
        done: list[str] | None = _do("reads", lambda _: None, self)
        return done

    def inverse(self, before: Item, after: Item) -> "Odd":
        done: Odd = _do("inverse", lambda *_: Odd(), before, after)
        return done


ODD: dict[str, Callable[..., Any]] = {}


def _do(what: str, usual: Callable[..., Any], *arguments: object) -> Any:
    return ODD.get(what, usual)(*arguments)


def _same(mutation: Odd, state: Item) -> Item:
    return state


def _raise(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object) -> object:
        raise error

    return fail


class MuteError(Exception):
    """Cannot even say what is wrong."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


def _endless(*_: object) -> object:
    return _endless()


@pytest.fixture
def gov() -> Any:
    ODD.clear()
    with Governance.open("sqlite://", mutations=[Odd, *MUTATIONS], settings=Settings(max_attempts=2)) as gov:
        yield gov
    ODD.clear()


def submit_odd(gov: Governance, **behaviour: Callable[..., Any]) -> Any:
    """Return the request for a mutation that behaves so."""
    ODD.update(behaviour)
    return gov.submit(Odd(), state_id="item", actor=GRACE, reason="try")


class OtherItem(Item):
    extra: int = 1


BAD: dict[str, dict[str, Callable[..., Any]]] = {
    "apply raises": {"apply": _raise(ZeroDivisionError("no"))},
    "apply raises one of ours": {"apply": _raise(GovernanceError("no"))},
    "apply raises with what cannot be stored": {"apply": _raise(ValueError("\0 \ud800" + "x" * 20_000))},
    "apply raises what cannot say why": {"apply": _raise(MuteError())},
    "validate_on raises what cannot say why": {"validate_on": _raise(MuteError())},
    "validate_on returns what cannot be shown": {"validate_on": lambda *_: MuteError()},
    "effects raises what cannot say why": {"effects": _raise(MuteError())},
    "reads raises what cannot say why": {"reads": _raise(MuteError())},
    "reads returns what cannot be shown": {"reads": lambda *_: MuteError()},
    "apply never ends": {"apply": _endless},
    "apply returns nothing": {"apply": lambda *_: None},
    "apply returns a dictionary": {"apply": lambda *_: {"names": []}},
    "apply returns another model": {"apply": lambda *_: Roles()},
    "apply returns a state with more in it": {"apply": lambda *_: OtherItem()},
    "apply returns what is no valid state": {"apply": lambda *_: unchecked(Item, names=5)},
    "apply returns what no JSON can hold": {"apply": lambda *_: Item(size=float("nan"))},
    "apply returns infinity": {"apply": lambda *_: Item(size=float("inf"))},
    "apply returns NUL": {"apply": lambda *_: Item(names=["\0"])},
    "apply returns a lone surrogate": {"apply": lambda *_: unchecked(Item, names=["\ud800"], size=0.0)},
    "apply returns too much": {"apply": lambda *_: Item(names=["x" * 2_000_000])},
    "apply returns too many": {"apply": lambda *_: Item(names=["x"] * 20_000)},
    "apply returns a class": {"apply": lambda *_: Item},
    "validate_on raises": {"validate_on": _raise(KeyError("x"))},
    "validate_on returns nothing": {"validate_on": lambda *_: None},
    "validate_on returns text": {"validate_on": lambda *_: "no"},
    "validate_on returns numbers": {"validate_on": lambda *_: [1]},
    "validate_on returns what cannot be stored": {"validate_on": lambda *_: ["\0 \ud800" + "x" * 20_000]},
    "effects raises": {"effects": _raise(KeyError("x"))},
    "effects returns nothing": {"effects": lambda *_: None},
    "effects returns texts": {"effects": lambda *_: ["mail"]},
    "effect has no contract": {"effects": lambda *_: [NoContract(to="x")]},
    "effect has an empty contract": {"effects": lambda *_: [BadContract()]},
    "effect is too large": {"effects": lambda *_: [Notice(to="x" * 100_000)]},
    "effect cannot be stored": {"effects": lambda *_: [Notice(to="\0")]},
    "reads raises": {"reads": _raise(KeyError("x"))},
    "reads returns text": {"reads": lambda *_: "/names"},
    "reads returns no pointers": {"reads": lambda *_: ["names"]},
    "reads returns numbers": {"reads": lambda *_: [1]},
}


@pytest.mark.parametrize("case", BAD)
def test_mutation_that_misbehaves_at_submission_is_rejected(gov: Governance, case: str) -> None:
    request = submit_odd(gov, **BAD[case])
    assert (request.status, request.end_code) == (Status.REJECTED, "validation-failed")
    assert request.ended_because
    assert gov.request(request.id) == request
    assert gov.state("item").version == 0


@pytest.mark.parametrize("case", [each for each in BAD if not each.startswith("validate_on returns what")])
def test_mutation_that_misbehaves_at_execution_is_tried_again_and_then_failed(gov: Governance, case: str) -> None:
    request = submit_odd(gov)
    ODD.update(BAD[case])
    outcome = gov.execute(request.id, actor=WORKER)
    assert (outcome.executed, outcome.request.status, outcome.request.attempts) == (False, Status.APPROVED, 1)
    outcome = gov.execute(request.id, actor=WORKER)
    assert (outcome.executed, outcome.request.status, outcome.request.attempts) == (False, Status.FAILED, 2)
    assert gov.request(request.id) == outcome.request
    assert gov.state("item").version == 0


@pytest.mark.parametrize("case", BAD)
def test_preview_of_a_mutation_that_misbehaves_says_so(gov: Governance, case: str) -> None:
    request = submit_odd(gov)
    ODD.update(BAD[case])
    preview = gov.preview(request.id)
    assert preview.failure or preview.validation_errors


@pytest.mark.parametrize(
    "inverse",
    [
        _raise(KeyError("x")),
        _raise(MuteError()),
        lambda *_: "text",
        lambda *_: Roles(),
        lambda *_: GrantAdmin(user="x"),
    ],
)
def test_inverse_that_misbehaves_is_refused_by_one_of_our_errors(gov: Governance, inverse: Callable[..., Any]) -> None:
    request = submit_odd(gov)
    gov.execute(request.id, actor=WORKER)
    ODD["inverse"] = inverse
    head = gov.log.head()
    with pytest.raises(GovernanceError):
        gov.compensate(request.id, actor=GRACE, reason="undo")
    assert gov.log.head() == head


def test_apply_that_changes_its_argument_changes_nothing_else(gov: Governance) -> None:
    def append(mutation: Odd, state: Item) -> Item:
        state.names.append("ada")
        return state

    for version in (1, 2):
        request = submit_odd(gov, apply=append)
        assert request.change_set[0].path == "/names/-"
        gov.preview(request.id)
        assert gov.execute(request.id, actor=WORKER).executed
        assert gov.state("item").value == Item(names=["ada"] * version)


def test_effects_cannot_change_the_state(gov: Governance) -> None:
    def spoil(before: Item, after: Item) -> list[Effect]:
        before.names.append("x")
        after.names.append("y")
        return [Notice(to="ada")]

    request = submit_odd(gov, effects=spoil)
    outcome = gov.execute(request.id, actor=WORKER)
    assert gov.state("item").value == Item()
    assert [(each.id, each.contract, each.payload) for each in outcome.effects] == [
        (f"{request.id}:0", "mail", {"to": "ada"})
    ]


def test_what_callers_do_to_what_they_are_given_changes_nothing(gov: Governance) -> None:
    metadata: dict[str, Any] = {"list": [1]}
    ODD["apply"] = lambda _, state: Item(names=[*state.names, "ada"])
    request = gov.submit(Odd(), state_id="item", actor=GRACE, reason="x", metadata=metadata)
    stored = [each.model_dump_json() for each in gov.history(request.id)]
    metadata["list"].append(2)
    with pytest.raises(TypeError, match="cannot be changed"):
        request.metadata["more"] = 1
    with pytest.raises(TypeError, match="cannot be changed"):
        cast(list[int], request.metadata["list"]).append(3)
    with pytest.raises(TypeError, match="cannot be changed"):
        request.mutation.payload["how"] = "evil"
    outcome = gov.execute(request.id, actor=WORKER)
    assert outcome.executed
    assert outcome.request.metadata == {"list": [1]}
    assert [each.model_dump_json() for each in gov.history(request.id)][: len(stored)] == stored
    whole = gov.submit(Odd(), state_id="other", actor=GRACE, reason="x")
    gov.execute(whole.id, actor=WORKER)
    for recorded in gov.state_history("other"):
        value: Any = vars(recorded.event)["value"]
        value["names"].append("evil")
    assert gov.state("other").value == Item(names=["ada"])
