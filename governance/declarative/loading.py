"""Loading policy files: whatever is wrong with one is found here, before any of its policies is asked."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from governance.declarative.conditions import condition_of
from governance.declarative.documents import read_document
from governance.declarative.expressions import Expression
from governance.declarative.places import Document
from governance.declarative.rules import Allowing, Amending, Answering, DeclaredPolicy, Denying, Requiring, Rule
from governance.declarative.schema import (
    Action,
    Allow,
    AmendPart,
    Deny,
    PolicyFile,
    PolicyPart,
    Require,
    RequirementPart,
)
from governance.declarative.tokens import ExpressionError
from governance.domain.errors import GovernanceError
from governance.domain.policies import AnyMutation, Policy
from governance.domain.requirements import Requirement, approval

M = TypeVar("M", bound=BaseModel)
_NOT_TEXT = " (YAML takes yes, no, on and off for true and false: put text in quotes)"
Mutations = Mapping[str, type[AnyMutation]]


def load_policies(path: str | Path, *, mutations: Iterable[type[AnyMutation]] | None = None) -> tuple[Policy, ...]:
    """Return the policies of a YAML, TOML or JSON file, compiled.

    With the `mutations` of the application, a policy that applies to none of them is refused, and one may amend a
    mutation into another type. Raises ConfigurationError, naming file, line and policy, for a file that cannot be read,
    for anything in it that is not known, and for expressions that are not CEL or speak of what does not exist.
    """
    document = read_document(Path(path))
    return built_policies(document, validated(document, PolicyFile), _by_name(mutations))


def validated(document: Document, model: type[M]) -> M:
    """Return a document as what it has to be; ConfigurationError names the line of what does not fit."""
    try:
        return model.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = tuple(_place(document.data, first["loc"]))
        hint = _NOT_TEXT if first["type"] == "string_type" and isinstance(first["input"], bool) else ""
        what = "is not known here" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        document.refuse(f"{'.'.join(map(str, place)) or 'the file'}: {what}{hint}", place)


def _place(data: Any, location: Sequence[str | int]) -> Iterator[str | int]:
    """Yield the parts of a location that the document has, and the last; the validator also tells parts of its own."""
    before: str | int = ""
    for number, part in enumerate(location, start=1):
        chosen = before in {"then", "otherwise"}  # this part is the kind of answer that was recognised
        before = part
        if chosen:
            continue
        if _has(data, part):
            data = data[part]
        elif number < len(location) or "[" in str(part):
            continue
        yield part


def _has(data: Any, part: str | int) -> bool:
    if isinstance(data, dict):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def built_policies(document: Document, file: PolicyFile, mutations: Mutations | None) -> tuple[DeclaredPolicy, ...]:
    """Return the policies that a file declares; raises what `load_policies` raises."""
    return _Builder(document, file, mutations).policies()


class _Builder:
    """Makes policies of what one file says."""

    def __init__(self, document: Document, file: PolicyFile, mutations: Mutations | None) -> None:
        self._document = document
        self._file = file
        self._mutations = mutations
        self._requirements = {name: self._requirement(name, part) for name, part in file.requirements.items()}

    def policies(self) -> tuple[DeclaredPolicy, ...]:
        names = [each.name for each in self._file.policies]
        for index, name in enumerate(names):
            if name in names[:index]:
                self._document.refuse(f"two policies are named {name!r}", ("policies", index, "name"), policy=name)
        return tuple(self._policy(index, part) for index, part in enumerate(self._file.policies))

    def _policy(self, index: int, part: PolicyPart) -> DeclaredPolicy:
        at = _At(self, ("policies", index), part.name)
        self._check_targets(at, part)
        rule = Rule(
            when=at.expression(part.when, "when"),
            then=self._answer(at, part.then, "then"),
            otherwise=self._answer(at, part.otherwise, "otherwise"),
        )
        content = part.model_dump(mode="json")
        named = [*_required(part.then), *_required(part.otherwise)]
        written_out = [self._requirements[each].model_dump(mode="json") for each in named]
        return DeclaredPolicy(
            rule,
            part.applies_to or (),
            {**content, "requirements": written_out},
            self._document.name,
            name=part.name,
            priority=part.priority,
            version=part.version,
            timeout=part.timeout.total_seconds() if part.timeout is not None else None,
        )

    def _answer(self, at: "_At", action: Action, key: str) -> Answering:
        match action:
            case "allow":
                return Allowing()
            case Allow():
                return Allowing(action.allow)
            case Deny(deny=said):
                return Denying(said.reason, said.code, said.severity)
            case Require():
                return Requiring(tuple(self._named(at, each, key) for each in action.require), action.reason)
        return self._amending(at, action.amend, key)

    def _amending(self, at: "_At", said: AmendPart, key: str) -> Amending:
        other = None
        if said.type is not None:
            if self._mutations is None:
                at.refuse("amending into another type needs load_policies(…, mutations=…)", key, "amend", "type")
            other = self._mutations.get(said.type)
            if other is None:
                at.refuse(f"there is no mutation {said.type!r}", key, "amend", "type")
        values = {name: at.expression(each, key, "amend", "payload", name) for name, each in said.payload.items()}
        return Amending(values, other, said.reason)

    def _named(self, at: "_At", name: str, key: str) -> Requirement:
        if name not in self._requirements:
            known = ", ".join(self._requirements) or "none"
            at.refuse(f"there is no requirement {name!r} under requirements (there are: {known})", key, "require")
        return self._requirements[name]

    def _requirement(self, name: str, part: RequirementPart) -> Requirement:
        given = {key: value for key, value in part if value is not None}
        condition = part.condition
        try:
            return approval(name=name, **given) if condition is None else condition_of(name, condition)
        except GovernanceError as error:
            what = f"requirement {name}: {error.message}"
            self._document.refuse(what, ("requirements", name), requirement=name)

    def _check_targets(self, at: "_At", part: PolicyPart) -> None:
        if self._mutations is None:
            return
        known = {*self._mutations, *(_state_type(each) for each in self._mutations.values())}
        for name in part.applies_to or ():
            if name not in known:
                msg = f"there is no mutation or type of state {name!r} (there are: {', '.join(sorted(known))})"
                at.refuse(msg, "applies_to")

    @property
    def document(self) -> Document:
        """Return the document that is built from."""
        return self._document


class _At:
    """Where a policy stands in its file, for saying what is wrong with it."""

    def __init__(self, builder: _Builder, place: tuple[str | int, ...], policy: str) -> None:
        self._document = builder.document
        self._place = place
        self._policy = policy

    def expression(self, source: str, *place: str) -> Expression:
        """Return the expression, compiled; ConfigurationError when it is none."""
        try:
            return Expression(source)
        except ExpressionError as error:
            within = f" (line {error.line} of the expression)" if "\n" in source.strip() else ""
            self.refuse(f"{error}{within}", *place)

    def refuse(self, what: str, *place: str) -> NoReturn:
        """Raise ConfigurationError that names file, line, policy and key."""
        msg = f"policy {self._policy}: {'.'.join(place)}: {what}"
        self._document.refuse(msg, (*self._place, *place), policy=self._policy)


def _required(action: Action) -> tuple[str, ...]:
    return action.require if isinstance(action, Require) else ()


def _state_type(mutation: type[AnyMutation]) -> str:
    model = mutation.state_model()
    return str(getattr(model, "state_type", model.__name__))


def _by_name(mutations: Iterable[type[AnyMutation]] | None) -> Mutations | None:
    return None if mutations is None else {each.mutation_type: each for each in mutations}
