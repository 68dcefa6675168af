"""The table of decisions: every situation × actor × action, as the reference page shows it and a test runs it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from governance import Actor, GovernanceError, approval
from governance.domain.approval_events import ApprovalDelegated, GlassBroken, QuorumReached
from governance.domain.commands import (
    Approve,
    BreakGlass,
    Cancel,
    Command,
    Comment,
    Delegate,
    Execute,
    Expire,
    Reassign,
    Reject,
    Review,
    Supersede,
    Withdraw,
)
from governance.domain.condition_commands import OverrideWindow, RecordCheck
from governance.domain.decider import decide
from governance.domain.effect_commands import DropEffect, RetryEffect
from governance.domain.effect_events import EffectDelivered, EffectDropped, EffectFailed
from governance.domain.effects import RecordedEffect
from governance.domain.events import (
    Approved,
    Canceled,
    Compensated,
    ExecutionFailed,
    Expired,
    Rejected,
    RequestEvent,
    Superseded,
)
from governance.domain.lifecycle import Status
from governance.domain.requirements import Approver
from governance.domain.terms import RejectionReason
from tests.cases import (
    GRACE,
    HOUR,
    OTHER_ID,
    REQUEST_ID,
    ROOT,
    START,
    evaluation,
    executed,
    granted,
    requirement_of,
    submitted,
)
from tests.spec import LATER, Told, by, fold

DELEGATOR = Actor(id="leslie", roles=("lead",))
ACTORS: dict[str, Actor] = {
    "requester": GRACE,
    "somebody acting for the requester": Actor(id="bot", kind="service", on_behalf_of=GRACE.id, roles=("lead",)),
    "entitled": Actor(id="edsger", roles=("lead", "cto")),
    "entitled, has said yes": Actor(id="alan", roles=("lead", "cto")),
    "delegate": Actor(id="dorothy"),
    "nobody in particular": Actor(id="eve"),
    "administrator": ROOT,
    "holder of break-glass": Actor(id="nora", roles=("break-glass",)),
    "holder of break-glass-review": Actor(id="rita", roles=("break-glass-review",)),
}
LEADS = approval(role="lead", quorum=2, expires_after=HOUR)
CTO = approval(role="cto", step=2)
EFFECT = RecordedEffect(id=f"{REQUEST_ID}:0", contract="mail", contract_version=1, payload={"to": "ada"})
ACTIONS: dict[str, Callable[[Actor, str], Command]] = {
    "approve": lambda actor, key: Approve(actor=actor, requirement=key),
    "reject": lambda actor, key: Reject(actor=actor, requirement=key, rejection=RejectionReason(message="no")),
    "withdraw": lambda actor, key: Withdraw(actor=actor, requirement=key),
    "delegate": lambda actor, key: Delegate(actor=actor, to="zoe", until=START + 9 * HOUR, requirement=key),
    "reassign": lambda actor, key: Reassign(
        actor=actor, requirement=key, approvers=(Approver(kind="role", id="vp"),), reason="holiday"
    ),
    "break glass": lambda actor, key: BreakGlass(
        actor=actor, reason="fire", permission="break-glass", review_after=timedelta(days=1)
    ),
    "review": lambda actor, key: Review(
        actor=actor, justified=True, comment="it burnt", permission="break-glass-review"
    ),
    "override window": lambda actor, key: OverrideWindow(actor=actor, reason="fire", permission="window-override"),
    "record check": lambda actor, key: RecordCheck(actor=actor, check="ticket", passed=True, permission="checker"),
    "comment": lambda actor, key: Comment(actor=actor, text="hm"),
    "cancel": lambda actor, key: Cancel(actor=actor),
    "supersede": lambda actor, key: Supersede(actor=actor, by=OTHER_ID),
    "expire": lambda actor, key: Expire(actor=actor),
    "execute": lambda actor, key: Execute(actor=actor, evaluation=evaluation(verdicts=None)),
    "retry effect": lambda actor, key: RetryEffect(actor=actor, effect=EFFECT.id, reason="they are back"),
    "drop effect": lambda actor, key: DropEffect(actor=actor, effect=EFFECT.id, reason="sent by hand"),
}
History = Sequence[RequestEvent | Told]


def situations() -> dict[str, tuple[History, str, datetime]]:
    """Return, by name, how a request got where it is, which requirement is acted on, and when."""
    asked = submitted(LEADS, CTO)
    alan = by(ACTORS["entitled, has said yes"], granted(asked, ACTORS["entitled, has said yes"]))
    opened = requirement_of(asked)
    handed_on = ApprovalDelegated(
        requirement_id=opened.requirement_id,
        delegator=DELEGATOR.id,
        delegate=ACTORS["delegate"].id,
        matched=Approver(kind="role", id="lead"),
        until=START + 9 * HOUR,
    )
    pending: History = (*asked, alan, by(DELEGATOR, handed_on))
    barbara = Actor(id="barbara", roles=("lead",))
    reached = QuorumReached(requirement_id=opened.requirement_id, approvers=("alan", "barbara"))
    met: History = (*pending, by(barbara, granted(asked, barbara)), reached)
    direct = submitted()
    glass = GlassBroken(reason="fire", requirements=("1.1", "1.2"), review_until=START + 9 * HOUR)
    broken: History = (*asked, by(ACTORS["holder of break-glass"], glass), Approved(round=1))
    mailing: History = (*direct, executed().model_copy(update={"effects": (EFFECT,)}))
    parked = EffectFailed(effect_id=EFFECT.id, attempt=9, handler="mail", error="ConnectionError: no")
    delivered = EffectDelivered(effect_id=EFFECT.id, attempt=1, handler="mail")
    failed = ExecutionFailed(attempt=3, error="ValueError: no", final=True)
    return {
        "pending, requirement open": (pending, "1.1", LATER),
        "pending, its deadline passed": (pending, "1.1", START + HOUR),
        "pending, requirement satisfied": (met, "1.1", LATER),
        "pending, requirement of a later step": (pending, "1.2", LATER),
        "approved": (direct, "1.1", LATER),
        "approved behind broken glass": (broken, "1.1", LATER),
        "executed": ((*direct, executed()), "1.1", LATER),
        "executed, its effect waits": (mailing, "1.1", LATER),
        "executed, its effect is parked": ((*mailing, parked), "1.1", LATER),
        "executed, its effect was delivered": ((*mailing, delivered), "1.1", LATER),
        "executed, its effect was dropped": ((*mailing, EffectDropped(effect_id=EFFECT.id, reason="no")), "1.1", LATER),
        "compensated": ((*direct, executed(), Compensated(by=OTHER_ID, kind="restore", version=2)), "1.1", LATER),
        "rejected": ((*pending, Rejected(code="approval-rejected", reason="no")), "1.1", LATER),
        "canceled": ((*pending, Canceled()), "1.1", LATER),
        "expired": ((*pending, Expired(expires_at=START)), "1.1", LATER),
        "superseded": ((*pending, Superseded(by=OTHER_ID)), "1.1", LATER),
        "failed": ((*direct, failed), "1.1", LATER),
    }


def outcome(history: History, command: Command, now: datetime) -> str:
    """Return what comes of a command in one word or two: the status that it leads to, or the rule that refuses it."""
    request = fold(*history)
    try:
        events = decide(command, request, now)
    except GovernanceError as error:
        return f"*{error.rule}*"
    after = fold(*history, *(Told(each, by=command.actor, at=now) for each in events))
    return "stays" if after.status is request.status else str(after.status)


def rows() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield situation, actor and the outcome of every action, for every combination."""
    for situation, (history, key, now) in situations().items():
        for name, actor in ACTORS.items():
            yield situation, name, tuple(outcome(history, make(actor, key), now) for make in ACTIONS.values())


def covered() -> frozenset[Status]:
    """Return the statuses that the situations are in."""
    return frozenset(fold(*history).status for history, _, _ in situations().values())


def page() -> str:
    """Return the reference page: one table a situation, one row for all actors whom it treats alike."""
    tables: dict[str, dict[tuple[str, ...], list[str]]] = {}
    for situation, actor, outcomes in rows():
        tables.setdefault(situation, {}).setdefault(outcomes, []).append(actor)
    lines = [INTRODUCTION]
    for situation, alike in tables.items():
        lines += [
            f"\n## {situation.capitalize()}\n",
            f"| actor | {' | '.join(ACTIONS)} |",
            "|---" * (len(ACTIONS) + 1) + "|",
        ]
        for outcomes, actors in alike.items():
            who = "anybody" if len(actors) == len(ACTORS) else "; ".join(actors)
            lines.append(f"| {who} | {' | '.join(outcomes)} |")
    return "\n".join(lines) + "\n"


INTRODUCTION = """# Who may do what, when

Every situation of a request × actor × action, and what comes of it. A word is the status that the request goes to
(`stays`: the action counts, the status does not change); a word in *italics* is the rule that refuses it, as in
`error.rule`, and then nothing has changed.

The request asks for two people with the role `lead` within an hour (step 1), then for one with the role `cto` (step 2).
Alan has said yes; Leslie, a lead, lets Dorothy (the delegate) decide in her place. The action names the requirement,
or the effect that the execution has recorded, where it has recorded one.

This page is the data of a test: each cell is run, and a cell that is missing or wrong fails it."""
