"""Policies that are written down: what they apply to, the condition, and what they answer either way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError

from governance.declarative.expressions import EvaluationError, Expression
from governance.declarative.variables import Variables
from governance.domain.digest import digest
from governance.domain.json_limits import input_error
from governance.domain.policies import Answer, AnyMutation, Context, Policy, Severity, allow, amend, deny, require
from governance.domain.requirements import Requirement

Answering = Callable[[AnyMutation, Variables], Answer]
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


@dataclass(frozen=True)
class Denying:
    """Answers that the request ends."""

    reason: str
    code: str
    severity: Severity

    def __call__(self, mutation: AnyMutation, variables: Variables) -> Answer:
        """Return the denial."""
        return deny(self.reason, code=self.code, severity=self.severity)


@dataclass(frozen=True)
class Requiring:
    """Answers what has to be met."""

    requirements: tuple[Requirement, ...]
    reason: str | None

    def __call__(self, mutation: AnyMutation, variables: Variables) -> Answer:
        """Return the requirements."""
        return require(*self.requirements, reason=self.reason)


@dataclass(frozen=True)
class Allowing:
    """Answers that there is nothing against it."""

    reason: str | None = None

    def __call__(self, mutation: AnyMutation, variables: Variables) -> Answer:
        """Return the permission."""
        return allow(self.reason)


@dataclass(frozen=True)
class Amending:
    """Answers with another mutation: of `other`, or of the same type with other values in some fields."""

    payload: Mapping[str, Expression]
    other: type[AnyMutation] | None
    reason: str | None

    def __call__(self, mutation: AnyMutation, variables: Variables) -> Answer:
        """Return the amendment; EvaluationError when a value is missing or does not fit."""
        link = variables.plain("compensates")
        if link is not None and link.kind == "restore":
            msg = "a restoration puts back what was there; it cannot be amended"
            raise EvaluationError(msg)
        values = {name: _named(name, each, variables) for name, each in self.payload.items()}
        kept = variables.payload if self.other is None else {}
        try:
            amended = (self.other or type(mutation)).model_validate_json(_JSON.dump_json({**kept, **values}))
        except ValidationError as error:
            raise EvaluationError(input_error(error, "amend.payload").message) from None
        return amend(amended, reason=self.reason)


@dataclass(frozen=True)
class Rule:
    """The condition, and what is answered when it holds and when it does not."""

    when: Expression
    then: Answering
    otherwise: Answering

    def __call__(self, mutation: AnyMutation, state: Any, context: Context) -> Answer:
        """Return the answer; EvaluationError, which whoever asks turns into a denial, when an expression has none."""
        variables = Variables(mutation, state, context)
        try:
            holds = self.when.condition(variables)
        except EvaluationError as error:
            msg = f"when: {error}"
            raise EvaluationError(msg) from None
        return (self.then if holds else self.otherwise)(mutation, variables)


class DeclaredPolicy(Policy):
    """A policy from a file; `content` is all that it says, its requirements written out, and is part of its digest."""

    def __init__(
        self,
        rule: Rule,
        applies_to: tuple[str, ...],
        content: Any,
        source: str,
        *,
        name: str,
        priority: int,
        version: int,
        timeout: float | None,
    ) -> None:
        super().__init__(rule, name=name, priority=priority, version=version, timeout=timeout)
        self.declared = rule
        self.applies_to = applies_to
        self.source = source
        self.content_digest = digest(content)
        self.__doc__ = content.get("description") or f"Policy {name} of {source}."

    def fingerprint(self) -> Any:
        """Return what identifies this policy: the digest of its content too, so that every change of it counts."""
        return [*super().fingerprint(), self.content_digest]

    def applies(self, mutation: AnyMutation, model: type) -> bool:
        """Return whether the policy is asked about the mutation, by the name of its type or of its type of state."""
        names = {mutation.mutation_type, str(getattr(model, "state_type", model.__name__))}
        return not self.applies_to or not names.isdisjoint(self.applies_to)

    def _applies(self, mutation: AnyMutation, model: type) -> bool:
        return self.applies(mutation, model)


def _named(name: str, expression: Expression, variables: Variables) -> Any:
    try:
        return expression.json_value(variables)
    except EvaluationError as error:
        msg = f"amend.payload.{name}: {error}"
        raise EvaluationError(msg) from None
