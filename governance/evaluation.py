"""Asking user code: validation, a simulated apply and every policy, on fresh copies; errors become answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from governance.consulting import Consultation
from governance.domain.catalog import AnyMutation, Catalog
from governance.domain.changes import diff, same
from governance.domain.commands import Amendment, Evaluation
from governance.domain.digest import digest
from governance.domain.effects import Effect, RecordedEffect
from governance.domain.errors import GovernanceError, InputError, UnreadableStateError
from governance.domain.events import Amended
from governance.domain.json_limits import check_json, dump
from governance.domain.mutations import Mutation, StoredMutation
from governance.domain.policies import Context, PolicySet
from governance.domain.request import MutationRequest
from governance.domain.resolution import denials
from governance.domain.state import StateVersion
from governance.domain.terms import Verdict
from governance.domain.values import Id, clean, error_text
from governance.settings import Settings

T = TypeVar("T")
_CONTRACT: TypeAdapter[str] = TypeAdapter(Id)
MAX_AMENDMENTS = 5
"""How often in a row policies may put another mutation in place before that is a denial."""


@dataclass(frozen=True)
class Subject:
    """What is evaluated: the request as far as it stands, and the mutations that policies are chosen by.

    `governing` holds the request's own mutation and, for a restoration, that of the request that it undoes: who governs
    a mutation governs its undoing.
    """

    request: MutationRequest
    mutation: AnyMutation
    governing: tuple[AnyMutation, ...]


_NOTHING_SAID: dict[str, Any] = {
    "validation_errors": (), "failure": None, "change_set": (), "value": None, "value_digest": "", "effects": (),
    "reads": None, "amendments": (),
}  # fmt: skip
"""What is in an evaluation before user code was asked."""


class UserCodeError(Exception):
    """User code raised, or answered with something that cannot be used."""


class Evaluator:
    """Runs user code on one version of a state; what it answers reaches the rules as data only."""

    def __init__(self, catalog: Catalog, policies: PolicySet, settings: Settings) -> None:
        self._catalog = catalog
        self._max_state_bytes = settings.max_state_bytes
        self._consultation = Consultation(catalog, settings.policy_timeout_seconds)
        self.policies = policies

    def close(self) -> None:
        """End what runs on threads of its own."""
        self._consultation.close()

    def evaluate(self, subject: Subject, state: StateVersion, now: datetime, *, ask_policies: bool) -> Evaluation:
        """Return what user code says of the mutation, or of the one that policies put in its place, on this state.

        Policies are asked only when told to, and only about a mutation that is valid and can be applied; about an
        amended one they are all asked again, until none amends it any more. Raises nothing that user code caused.
        """
        amendments: list[Amendment] = []
        while True:
            evaluation = self._evaluate(subject, state, now, ask_policies=ask_policies)
            amended = _amendment(subject, evaluation, self._same)
            if amended is None:
                return evaluation.model_copy(update={"amendments": tuple(amendments)}) if amendments else evaluation
            if len(amendments) == MAX_AMENDMENTS:
                return _endless(evaluation, amended).model_copy(update={"amendments": tuple(amendments)})
            amendments.append(Amendment(evaluation=evaluation, amended=amended))
            mutation = self._catalog.load(amended.mutation)
            subject = replace(subject, mutation=mutation, governing=(mutation, *subject.governing[1:]))

    def _evaluate(self, subject: Subject, state: StateVersion, now: datetime, *, ask_policies: bool) -> Evaluation:
        said = {
            **_NOTHING_SAID,
            "state_version": state.version,
            "state_digest": state.digest,
            "policy_set": self.policies.digest,
            "verdicts": () if ask_policies else None,
        }
        try:
            said["reads"], said["validation_errors"] = self._validate(subject.mutation, state)
            if not said["validation_errors"]:
                said |= self._apply(subject, state)
        except UserCodeError as error:
            return Evaluation.sound(**{**said, "reads": None, "failure": clean(str(error))})
        if ask_policies and self.policies.policies and not said["validation_errors"]:
            said["verdicts"] = self._consultation.verdicts(
                self.policies,
                subject.governing,
                lambda: self._catalog.read(state),
                self._catalog.opened(_context(subject.request, state, said["change_set"], now)),
            )
        return Evaluation.sound(**said)

    def reads(self, mutation: AnyMutation) -> tuple[str, ...] | None:
        """Return what the mutation says it reads, None for all of the state."""
        try:
            return _pointers(_call(mutation.reads))
        except UserCodeError:
            return None

    def _validate(self, mutation: AnyMutation, state: StateVersion) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
        reads = _pointers(_call(mutation.reads))
        if type(mutation).validate_on is Mutation.validate_on:
            return reads, ()
        errors = _call(lambda: mutation.validate_on(self._catalog.read(state)))
        if isinstance(errors, str) or not isinstance(errors, Sequence) or not all(isinstance(e, str) for e in errors):
            msg = f"validate_on returned {_shown(errors)}, not a list of texts"
            raise UserCodeError(msg)
        return reads, tuple(clean(each) for each in errors)

    def _apply(self, subject: Subject, state: StateVersion) -> dict[str, Any]:
        mutation = subject.mutation
        after = _call(lambda: mutation.apply(self._catalog.read(state)))
        value = self._value(after, state)
        effects: list[Effect] = []
        if type(mutation).effects is not Mutation.effects:
            effects = _call(lambda: list(mutation.effects(self._catalog.read(state), after)))
        return {
            "change_set": diff(state.value, value),
            "value": value,
            "value_digest": digest(value),
            "effects": tuple(
                _recorded(effect, f"{subject.request.id}:{number}") for number, effect in enumerate(effects)
            ),
        }

    def _value(self, after: object, state: StateVersion) -> Any:
        model = self._catalog.model(state.type)
        if not isinstance(after, model):
            msg = f"apply returned {type(after).__name__}, not {model.__name__}"
            raise UserCodeError(msg)
        try:
            value = dump(after, field="state")
            check_json(value, field="state", max_bytes=self._max_state_bytes)
            back = self._catalog.read(state.model_copy(update={"value": value})) == after
            sealed = self._catalog.sealed(after, value)
        except (InputError, UnreadableStateError) as error:
            raise UserCodeError(str(error)) from None
        if not back:
            msg = "the state that apply returned does not come back from JSON as it went in"
            raise UserCodeError(msg)
        return sealed

    def _same(self, mutation: StoredMutation, other: AnyMutation) -> bool:
        """Return whether policies would put the very same mutation in place."""
        if mutation.type != other.mutation_type:
            return False
        return same(mutation.payload, self._catalog.sealed(other, dump(other, field="mutation")))


def _amendment(subject: Subject, evaluation: Evaluation, unchanged: Callable[..., bool]) -> Amended | None:
    verdicts = evaluation.verdicts or ()
    amending = [each for each in verdicts if each.amendment is not None]
    if not amending or denials(verdicts):
        return None
    mutation = amending[0].amendment
    if mutation is None or unchanged(mutation, subject.mutation):
        return None
    return Amended(
        policies=tuple(each.policy for each in amending),
        mutation=mutation,
        mutation_digest=mutation.digest,
        reason="; ".join(each.reason for each in amending if each.reason) or None,
    )


def _endless(evaluation: Evaluation, amended: Amended) -> Evaluation:
    denied = Verdict(
        policy=amended.policies[0],
        decision="deny",
        code="policy-amends-endlessly",
        reason=f"policies still amend the mutation after {MAX_AMENDMENTS} amendments",
        severity="critical",
    )
    return evaluation.model_copy(update={"verdicts": (*(evaluation.verdicts or ()), denied)})


def _context(request: MutationRequest, state: StateVersion, change_set: Any, now: datetime) -> Context:
    return Context.sound(
        request_id=request.id,
        state_id=request.state_id,
        state_version=state.version,
        actor=request.requester,
        reason=request.reason,
        intent=request.intent,
        now=now,
        round=max(1, request.round),
        change_set=change_set,
        metadata=request.metadata,
        compensates=request.compensation,
    )


def _call(function: Callable[[], T]) -> T:
    try:
        return function()
    except GovernanceError as error:
        raise UserCodeError(str(error)) from error
    except Exception as error:
        raise UserCodeError(error_text(error)) from error


def _pointers(paths: object) -> tuple[str, ...] | None:
    if paths is None:
        return None
    if isinstance(paths, list | tuple) and all(isinstance(each, str) and each.startswith("/") for each in paths):
        return tuple(paths)
    msg = f"reads() returned {_shown(paths)}, not a list of JSON Pointers such as '/admins'"
    raise UserCodeError(msg)


def _shown(answer: object) -> str:
    try:
        return repr(answer)
    except Exception:
        return f"a {type(answer).__name__}"


def _recorded(effect: object, effect_id: str) -> RecordedEffect:
    if not isinstance(effect, Effect):
        msg = f"effects() returned {type(effect).__name__}, not Effect"
        raise UserCodeError(msg)
    try:
        payload = dump(effect, field="effect")
        check_json(payload, field="effect", max_bytes=64 * 1024)
        return RecordedEffect(
            id=effect_id,
            contract=_CONTRACT.validate_python(effect.contract, strict=True),
            contract_version=effect.contract_version,
            payload=payload,
        )
    except (InputError, AttributeError, ValidationError) as error:
        msg = f"effects() returned a {type(effect).__name__} that cannot be recorded: {error}"
        raise UserCodeError(msg) from None
