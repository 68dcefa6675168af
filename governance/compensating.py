"""Compensating: deriving the request that puts right what an executed one did."""

from datetime import datetime
from typing import Literal

from governance.domain.catalog import AnyMutation, Catalog
from governance.domain.compensation import Restore, check_compensable
from governance.domain.errors import ConfigurationError, InputError, NotReversibleError, UnknownMutationError
from governance.domain.mutations import Mutation
from governance.domain.request import MutationRequest
from governance.domain.terms import CompensationKind, CompensationLink
from governance.domain.values import clean, error_text
from governance.execution import Executor
from governance.intake import Submission


def compensation_of(
    original: MutationRequest,
    kind: CompensationKind,
    mutation: AnyMutation | None,
    catalog: Catalog,
    executor: Executor,
    trigger: Literal["operator", "automatic"] = "operator",
    *,
    now: datetime,
) -> Submission:
    """Return what to submit, but for actor and reason; refuses what was not executed, or has no way back (any more).

    What is derived runs in time or not at all: it expires when the way back does. A given mutation is work by hand.
    """
    check_compensable(original)
    ends = _way_back(original, now) if mutation is None else None
    if kind not in ("restore", "corrective"):
        msg = f"kind: {kind!r} is neither restore nor corrective"
        raise InputError(msg, field="kind")
    if kind == "restore" and mutation is not None:
        msg = "mutation: a restoration puts the earlier value back; it takes no mutation"
        raise InputError(msg, field="mutation")
    if isinstance(mutation, Restore):
        msg = "mutation: a restoration is made by kind='restore', from what is stored"
        raise InputError(msg, field="mutation")
    if kind == "restore":
        chosen: AnyMutation = _restore(original, executor)
    else:
        chosen = _inverse(original, catalog, executor) if mutation is None else mutation
    return Submission(
        mutation=chosen,
        state_id=original.state_id,
        actor=None,
        reason=None,
        compensates=CompensationLink(request_id=original.id, kind=kind, trigger=trigger),
        expected_version=original.resulting_version if kind == "restore" else None,
        stale="reject" if kind == "restore" else "revalidate",
        expires_at=ends,
    )


def _way_back(original: MutationRequest, now: datetime) -> datetime | None:
    """Return when the declared way back ends, None when it does not; NotReversibleError when there is none any more."""
    declared = original.intent.reversibility
    ends = declared.deadline(original.executed_at) if declared is not None else None
    if declared is None or (declared.possible and (ends is None or now < ends)):
        return ends
    told = declared.text(original.executed_at)
    msg = f"there is no way back for {original.mutation.type} of request {original.id} but by hand ({told})"
    raise NotReversibleError(msg, request=original.id, mutation=original.mutation.type)


def _restore(original: MutationRequest, executor: Executor) -> Restore:
    before = executor.version(original.state_id, original.state_type, _result(original) - 1)
    return Restore(request_id=original.id, version=before.version, value=before.value)


def _inverse(original: MutationRequest, catalog: Catalog, executor: Executor) -> AnyMutation:
    executed = catalog.load(original.mutation)
    before = executor.version(original.state_id, original.state_type, _result(original) - 1)
    after = executor.version(original.state_id, original.state_type, _result(original))
    try:
        inverse = executed.inverse(catalog.read(before), catalog.read(after))
    except Exception as error:
        raise _no_inverse(original, error_text(error)) from error
    if inverse is None:
        msg = (
            f"{original.mutation.type} of request {original.id} declares no inverse; "
            "give a corrective mutation, or restore the earlier value"
        )
        raise NotReversibleError(msg, request=original.id, mutation=original.mutation.type)
    return _usable(inverse, original, catalog)


def _usable(inverse: object, original: MutationRequest, catalog: Catalog) -> AnyMutation:
    """Return what `inverse` gave; NotReversibleError when it is no mutation of that state, or none that can be kept."""
    if not isinstance(inverse, Mutation):
        raise _no_inverse(original, f"it gave {type(inverse).__name__}, which is not a mutation")
    try:
        if catalog.state_type(type(inverse)) != original.state_type:
            raise _no_inverse(original, f"{inverse.mutation_type} does not change a {original.state_type}")
        catalog.learn(inverse)
        catalog.store(inverse)
    except (ConfigurationError, InputError, UnknownMutationError) as error:
        raise _no_inverse(original, error_text(error)) from error
    return inverse


def _no_inverse(original: MutationRequest, why: str) -> NotReversibleError:
    msg = f"{original.mutation.type} of request {original.id} has no inverse: {why}"
    return NotReversibleError(clean(msg), request=original.id, mutation=original.mutation.type)


def _result(original: MutationRequest) -> int:
    if original.resulting_version is None:
        msg = f"request {original.id} has no resulting version"
        raise NotReversibleError(msg, request=original.id)
    return original.resulting_version
