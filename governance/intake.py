"""Taking in what callers give: checked once at the edge, so that the rules and the store see only sound values."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from governance.domain.actors import Actor
from governance.domain.catalog import Catalog
from governance.domain.commands import Submit
from governance.domain.compensation import Restore
from governance.domain.digest import digest
from governance.domain.errors import ConfigurationError, InputError
from governance.domain.intent import Intent, refine
from governance.domain.json_limits import MAX_SAFE_INTEGER, check_json, input_error
from governance.domain.mutations import Mutation
from governance.domain.requirements import Requirement
from governance.domain.terms import CompensationLink
from governance.domain.values import Value
from governance.ids import request_key


class Submission(Value):
    """The arguments of `submit` as the caller gave them."""

    mutation: Any
    state_id: Any
    actor: Any
    reason: Any
    intent: Any = None
    requires: Any = ()
    expected_version: Any = None
    stale: Any = "revalidate"
    expires_at: Any = None
    idempotency_key: Any = None
    supersedes: Any = None
    correlation_id: Any = None
    metadata: Any = None
    compensates: CompensationLink | None = None


@contextmanager
def input_errors(prefix: str = "") -> Iterator[None]:
    """Turn a failed validation of what a caller gave into InputError, naming the field."""
    try:
        yield
    except ValidationError as error:
        raise input_error(error, prefix) from None


def take_in(given: Submission, catalog: Catalog, state_type: str | None, max_bytes: int) -> Submit:
    """Return the command to submit; InputError, naming the field, for whatever cannot be stored faithfully."""
    mutation = given.mutation
    if not isinstance(mutation, Mutation):
        msg = f"mutation: {type(mutation).__name__} is not a mutation"
        raise InputError(msg, field="mutation")
    _check_types(given)
    _check_state_type(mutation, catalog, state_type)
    metadata = dict(given.metadata or {})
    check_json(metadata, field="metadata", max_bytes=max_bytes)
    with input_errors():
        intent = refine(mutation.declared_intent(), given.intent)
        check_json(intent.metadata, field="intent.metadata", max_bytes=max_bytes)
        return Submit(
            mutation=catalog.store(mutation),
            state_id=given.state_id,
            state_type=state_type or catalog.state_type(type(mutation)),
            actor=given.actor,
            reason=given.reason,
            intent=intent,
            requires=tuple(given.requires),
            stale=given.stale,
            expires_at=given.expires_at,
            idempotency_key=given.idempotency_key,
            supersedes=None if given.supersedes is None else request_key(given.supersedes, "supersedes"),
            compensates=given.compensates,
            correlation_id=given.correlation_id,
            metadata=metadata,
        )


def _check_state_type(mutation: Mutation[Any], catalog: Catalog, wanted: str | None) -> None:
    """Refuse what changes another type of state than the wanted one; a restoration takes the type of what it undoes."""
    if isinstance(mutation, Restore):
        if wanted is None:
            msg = "mutation: a restoration is made by compensate(kind='restore')"
            raise InputError(msg, field="mutation")
    elif wanted is not None and catalog.state_type(type(mutation)) != wanted:
        msg = f"{type(mutation).__name__} changes a {catalog.state_type(type(mutation))}, not a {wanted}"
        raise ConfigurationError(msg, mutation=mutation.mutation_type, state_type=wanted)


def content_of(command: Submit) -> str:
    """Return the digest of what an idempotency key stands for: everything but how the caller traces the call."""
    content = command.model_dump(mode="json", exclude={"correlation_id", "actor"})
    return digest({**content, "actor": command.actor.id})


def _check_types(given: Submission) -> None:
    wanted: dict[str, tuple[Any, type | tuple[type, ...]]] = {
        "actor": (given.actor, Actor),
        "intent": (given.intent, (Intent, type(None))),
        "metadata": (given.metadata, (Mapping, type(None))),
        "requires": (given.requires, (list, tuple)),
        "expires_at": (given.expires_at, (datetime, type(None))),
    }
    for field, (value, kinds) in wanted.items():
        if not isinstance(value, kinds):
            msg = f"{field}: {type(value).__name__} is not what is expected here"
            raise InputError(msg, field=field)
    if not all(isinstance(each, Requirement) for each in given.requires):
        msg = "requires: every item must be a requirement, such as approval(role=...)"
        raise InputError(msg, field="requires")
    check_version(given.expected_version, "expected_version")


def check_version(version: object, field: str) -> None:
    """Refuse what is neither None nor the version of anything: InputError."""
    if version is not None and (type(version) is not int or not 0 <= version <= MAX_SAFE_INTEGER):
        msg = f"{field}: must be a whole number of at least 0"
        raise InputError(msg, field=field)


def check_actor(actor: object) -> None:
    """Refuse what is not an actor: InputError."""
    if not isinstance(actor, Actor):
        msg = f"actor: {type(actor).__name__} is not an Actor"
        raise InputError(msg, field="actor")
    if actor.from_store:
        msg = "actor: the name must not be a sealed value"
        raise InputError(msg, field="actor")
