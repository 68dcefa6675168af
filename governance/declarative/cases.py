"""Testing policies: given a mutation, a state and who asks, what do they say, and is that what was expected?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from governance.declarative.schema import Case, Expected
from governance.domain.actors import Actor
from governance.domain.catalog import AnyMutation, Catalog
from governance.domain.digest import digest
from governance.domain.intent import refine
from governance.domain.json_limits import dump
from governance.domain.mutations import Mutation, StoredMutation
from governance.domain.policies import Context, Policy, PolicySet
from governance.domain.request import MutationRequest
from governance.domain.state import StateVersion
from governance.evaluation import Evaluator, Subject
from governance.judgement import Judgement, judgement_now
from governance.settings import Settings

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
"""The time of a case that gives none: a Monday at noon."""
_ID = "00000000-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Tried:
    """What came of a case: the judgement, and what the policies were shown at first."""

    judgement: Judgement
    mutation: AnyMutation
    state: Any
    context: Context


def try_case(
    case: Case, policies: Sequence[Policy], actor: Actor, mutations: Iterable[type[AnyMutation]] | None
) -> Tried:
    """Return what the policies say to a case, asked as they are by a submission; nothing is stored.

    With the mutations of the application the case must fit them, and is validated and applied; without, whatever it
    gives is taken as it is. Raises what a submission raises.
    """
    settings = Settings()
    known = (_stand_in(case),) if mutations is None else mutations
    catalog = Catalog(known, max_payload_bytes=settings.max_payload_bytes)
    subject, state = _subject(case, actor, catalog)
    evaluator = Evaluator(catalog, PolicySet(policies), settings)
    try:
        evaluation = evaluator.evaluate(subject, state, subject.request.created_at, ask_policies=True)
    finally:
        evaluator.close()
    first = evaluation.amendments[0].evaluation if evaluation.amendments else evaluation
    return Tried(
        judgement=judgement_now(evaluation, subject.request.mutation),
        mutation=subject.mutation,
        state=catalog.read(state),
        context=_context(subject.request, state, first.change_set),
    )


def mismatches(expected: Expected, found: Judgement) -> list[str]:
    """Return how the judgement differs from what was expected, nothing when it does not."""
    wrong: list[str] = []
    if found.decision != expected.decision:
        why = f" ({found.reason})" if found.reason else ""
        wrong.append(f"expected {expected.decision}, got {found.decision}{why}")
    if expected.requirements is not None:
        names = sorted(each.name or "" for each in found.requirements)
        wrong += _differs("requirements", sorted(expected.requirements), names)
    if expected.codes is not None:
        wrong += _differs("codes", sorted(expected.codes), sorted(found.codes))
    if expected.payload is not None:
        wrong += _differs("payload", expected.payload, found.mutation.payload)
    for name, answer in expected.policies.items():
        wrong += _differs(f"policy {name}", answer, found.answers.get(name, "silent"))
    return wrong


def _differs(what: str, expected: Any, found: Any) -> list[str]:
    return [] if expected == found else [f"{what}: expected {expected}, got {found}"]


def _subject(case: Case, actor: Actor, catalog: Catalog) -> tuple[Subject, StateVersion]:
    stored = StoredMutation(type=case.mutation.type, version=case.mutation.version, payload=case.mutation.payload)
    mutation = catalog.load(stored)
    state_type = catalog.state_type(type(mutation))
    state = catalog.initial(case.state_id, state_type)
    if case.state_version:
        given = catalog.read(StateVersion(id=case.state_id, type=state_type, value=case.state, version=1))
        value = dump(given, field="state")
        state = state.model_copy(update={"version": case.state_version, "value": value, "digest": digest(value)})
    now = case.now or NOW
    stored = catalog.store(mutation)
    request = MutationRequest(
        id=_ID,
        state_id=case.state_id,
        state_type=state_type,
        mutation=stored,
        mutation_digest=stored.digest,
        intent=refine(mutation.declared_intent(), case.intent),
        requester=actor,
        reason=case.reason,
        metadata=case.metadata,
        created_at=now,
        updated_at=now,
    )
    return Subject(request=request, mutation=mutation, governing=(mutation,)), state


def _context(request: MutationRequest, state: StateVersion, change_set: Any) -> Context:
    return Context(
        request_id=request.id,
        state_id=state.id,
        state_version=state.version,
        actor=request.requester,
        reason=request.reason,
        intent=request.intent,
        now=request.created_at,
        round=1,
        change_set=change_set,
        metadata=request.metadata,
    )


def _stand_in(case: Case) -> type[AnyMutation]:
    """Return a mutation that takes whatever fields the case gives and leads to the state that it names."""

    class Given(BaseModel):
        model_config = ConfigDict(extra="allow", frozen=True)
        state_type: ClassVar[str] = case.state_type

    class Asked(Mutation[Given]):
        model_config = ConfigDict(extra="allow")
        mutation_type: ClassVar[str] = case.mutation.type
        mutation_version: ClassVar[int] = case.mutation.version

        def apply(self, state: Given) -> Given:
            return state if case.after is None else Given.model_validate(case.after)

    return Asked
