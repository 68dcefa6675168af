"""What policies came to on one mutation: the same told from what was recorded and from what they say now."""

from collections.abc import Iterable, Sequence
from typing import Literal

from governance.domain.commands import Evaluation
from governance.domain.events import Amended, PoliciesEvaluated
from governance.domain.mutations import StoredMutation
from governance.domain.requirements import Requirement
from governance.domain.resolution import denials
from governance.domain.rounds import evaluated
from governance.domain.terms import Verdict
from governance.domain.values import Value

Decision = Literal["allow", "deny", "require", "amend", "invalid"]


class Judgement(Value):
    """What was decided, by which policies, and what that leaves to be met; `mutation` is the one after amendments.

    A denial counts for more than a requirement, and that for more than an amendment. `invalid` is a mutation that does
    not fit the state, about which policies were not asked. `answers` holds what each policy said.
    """

    decision: Decision
    reason: str | None = None
    codes: tuple[str, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    answers: dict[str, str]
    mutation: StoredMutation

    @property
    def policies(self) -> tuple[str, ...]:
        """Return the names of the policies that decided, in order: those that deny, else those that do not allow."""
        decisive = {"deny"} if self.decision == "deny" else {"require", "amend"}
        return tuple(name for name, answer in self.answers.items() if answer in decisive)

    def same_as(self, other: "Judgement") -> bool:
        """Return whether both lead to the same: decision, requirements (whatever they are called) and mutation."""
        mine, theirs = (
            (each.decision, demanded(each.requirements), each.mutation.digest if each.decision != "deny" else "")
            for each in (self, other)
        )
        return mine == theirs


def judgement(
    said: Iterable[object], mutation: StoredMutation, invalid: str | None = None, extra: Iterable[Requirement] = ()
) -> Judgement:
    """Return what these `PoliciesEvaluated` and `Amended` come to for the mutation that was asked for.

    `invalid` says why the mutation does not fit the state, and `extra` is what the requester asked for besides.
    """
    answers: dict[str, str] = {}
    verdicts: tuple[Verdict, ...] = ()
    wrong = invalid
    for event in said:
        if isinstance(event, PoliciesEvaluated):
            verdicts, wrong = event.verdicts, invalid or "; ".join(event.validation_errors) or None
            answers |= {each.policy: each.decision for each in verdicts if answers.get(each.policy) != "amend"}
        elif isinstance(event, Amended):
            mutation = event.mutation
    denied = denials(verdicts)
    required = [*extra, *(each for verdict in verdicts for each in verdict.requirements)]
    return Judgement(
        decision=_decision(wrong, bool(denied), bool(required), "amend" in answers.values()),
        reason=wrong or _reason(denied or [each for each in verdicts if each.decision != "allow"]),
        codes=tuple(each.code for each in denied if each.code),
        requirements=() if denied or wrong else tuple(dict.fromkeys(required)),
        answers=answers,
        mutation=mutation,
    )


def judgement_now(evaluation: Evaluation, mutation: StoredMutation, extra: Iterable[Requirement] = ()) -> Judgement:
    """Return what an evaluation comes to."""
    said = evaluated(evaluation, 1, evaluation.verdicts or ())
    return judgement(said, mutation, evaluation.failure, extra)


def demanded(requirements: Sequence[Requirement]) -> frozenset[str]:
    """Return what is demanded, of whom and until when, whatever it is called."""
    return frozenset(each.model_dump_json(exclude={"name"}) for each in requirements)


def _reason(telling: Iterable[Verdict]) -> str | None:
    return "; ".join(f"{each.policy}: {each.reason}" for each in telling if each.reason) or None


def _decision(wrong: str | None, denied: bool, required: bool, amended: bool) -> Decision:
    if wrong is not None:
        return "invalid"
    if denied:
        return "deny"
    return "require" if required else "amend" if amended else "allow"
