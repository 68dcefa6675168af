"""One complete sample of every event, as the fixtures under `tests/fixtures/events/` hold it in stored form."""

from datetime import UTC, datetime

from governance import Actor, Approver, BlastRadius, Intent, RejectionReason, approval, group, reversible, role
from governance.domain.batch_events import (
    BatchCreated,
    BatchExecuted,
    BatchFailed,
    BatchItemCompensated,
    BatchItemNotCompensated,
)
from governance.domain.changes import Change
from governance.domain.effect_events import EffectDelivered, EffectDropped, EffectFailed, EffectRetried
from governance.domain.effects import RecordedEffect
from governance.domain.events import (
    Amended,
    ApprovalDelegated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalReassigned,
    ApprovalRejected,
    ApprovalWithdrawn,
    Approved,
    Canceled,
    Commented,
    Compensated,
    CompensationFailed,
    Created,
    Event,
    Executed,
    ExecutionFailed,
    ExecutionStarted,
    Expired,
    ExternalStateChanged,
    GlassBroken,
    InterceptorFailed,
    KeyClaimed,
    PendingApproval,
    PlaceTaken,
    PoliciesEvaluated,
    QuorumReached,
    Rejected,
    Replaced,
    Reviewed,
    StateChanged,
    Superseded,
    VersionResolved,
)
from governance.domain.mutations import StoredMutation
from governance.domain.personal_events import SubjectForgotten
from governance.domain.recorded import Recorded
from governance.domain.terms import CompensationLink, Drift, Verdict
from tests.cases import HOUR, OTHER_ID, REQUEST_ID
from tests.stored_conditions import CONDITION_STREAMS, CONDITIONS

AT = datetime(2026, 3, 2, 9, 30, 15, 123456, tzinfo=UTC)
BATCH_ID = "0198a000-0000-7000-8000-0000000000ba"
DIGEST = "sha256:" + "0123456789abcdef" * 4
GRACE = Actor(
    id="grace",
    kind="user",
    name="Grace Hopper",
    roles=("on-call", "lead"),
    groups=("navy",),
    on_behalf_of="edsger",
    authenticated_by="oidc:key-7",
)
LEADS = approval(
    any_of=[role("lead"), group("security"), "alan"],
    quorum=2,
    step=3,
    expires_after=6 * HOUR + HOUR / 3600,
    veto=2,
    different_from_step=(1, 2),
    chains=True,
    name="two of us",
)
BOARD = approval(group="board", expires_at=AT + HOUR, veto=False)
CHANGES = (
    Change(path="/admins/-", kind="added", new="ada"),
    Change(path="/admins/0", kind="removed", old="bob"),
    Change(path="/limits/a~1b", kind="replaced", old={"max": 1.5, "on": True}, new={"max": 2, "on": None}),
)
GRANT = StoredMutation(type="grant_admin", version=2, payload={"user": "ada", "until": None, "scopes": ["r", "wø€🚀"]})
WHY = 'a "quoted" reason\nof two lines, \u202eRTL\u202c and <b>markup</b>'


SAMPLES: dict[str, Event] = {
    "Created": Created(
        mutation=GRANT,
        mutation_digest=GRANT.digest,
        state_id="tenant-42:roles",
        state_type="Roles",
        intent=Intent(
            category="access",
            description="on call this week",
            risk="high",
            blast_radius=BlastRadius(scope="system", count=3, text="all tenants"),
            tags=("on-call", "security"),
            metadata={"ticket": "OPS-1", "nested": {"list": [1, 2.5, None, True]}},
            reversibility=reversible(within=6 * HOUR, until=AT + 24 * HOUR, then=WHY),
        ),
        requester=GRACE,
        reason=WHY,
        requires=(LEADS, BOARD),
        stale="renew",
        expires_at=AT + 24 * HOUR,
        batch_id=BATCH_ID,
        idempotency_key="deploy-77/grant",
        supersedes=OTHER_ID,
        compensates=CompensationLink(request_id=OTHER_ID, kind="corrective", trigger="automatic"),
        metadata={"_type_": "uuid_hex", "_data_": "x", "": {"deep": [{}]}},
    ),
    "PoliciesEvaluated": PoliciesEvaluated(
        round=1,
        state_version=7,
        state_digest=DIGEST,
        policy_set=DIGEST,
        verdicts=(
            Verdict(policy="change freeze", decision="allow", took_ms=0.125),
            Verdict(
                policy="two_leads",
                decision="require",
                reason="high risk",
                code="high-risk",
                severity="warning",
                requirements=(LEADS,),
                metadata={"rule": 7},
                took_ms=12.5,
            ),
            Verdict(policy="capped", decision="amend", amendment=GRANT),
            Verdict(policy="weekend", decision="deny", reason="no", code="closed", severity="critical"),
        ),
        validation_errors=("ada is already an admin",),
        change_set=CHANGES,
    ),
    "Amended": Amended(policies=("capped", "typed"), mutation=GRANT, mutation_digest=GRANT.digest, reason="capped"),
    "PendingApproval": PendingApproval(
        requirement_id="1.1", round=1, requirement=LEADS, expires_at=AT + 6 * HOUR, digest=DIGEST
    ),
    "ApprovalGranted": ApprovalGranted(
        requirement_id="1.1",
        approver="alan",
        matched=Approver(kind="role", id="lead"),
        delegated_by="barbara",
        digest=DIGEST,
        comment=WHY,
    ),
    "ApprovalRejected": ApprovalRejected(
        requirement_id="1.1",
        approver="alan",
        matched=Approver(kind="group", id="security"),
        delegated_by="barbara",
        digest=DIGEST,
        rejection=RejectionReason(code="too-risky", category="security", message=WHY, metadata={"cvss": 9.8}),
        comment="see the ticket",
    ),
    "ApprovalWithdrawn": ApprovalWithdrawn(requirement_id="1.1", approver="alan", reason=WHY),
    "ApprovalDelegated": ApprovalDelegated(
        requirement_id="1.1",
        delegator="barbara",
        delegate="alan",
        matched=Approver(kind="actor", id="barbara"),
        until=AT + HOUR,
        reason=WHY,
    ),
    "ApprovalReassigned": ApprovalReassigned(requirement_id="1.1", replaced_by="1.3", reason=WHY),
    "ApprovalExpired": ApprovalExpired(requirement_id="1.2"),
    "QuorumReached": QuorumReached(requirement_id="1.1", approvers=("alan", "barbara")),
    "GlassBroken": GlassBroken(reason=WHY, requirements=("1.1", "1.2"), review_until=AT + 24 * HOUR),
    "Reviewed": Reviewed(reviewer="kathleen", justified=True, comment=WHY),
    "Commented": Commented(text=WHY),
    "Approved": Approved(round=2),
    "VersionResolved": VersionResolved(
        expected=7,
        current=9,
        strategy="revalidate",
        outcome="renewal_required",
        reason="the state moved from version 7 to 9",
        changed_paths=("/admins/-", "/note"),
        drift=(
            Drift(version=8, request_id=OTHER_ID, paths=("/admins/-",)),
            Drift(version=9, request_id=OTHER_ID, paths=("/note",)),
        ),
    ),
    "Executed": Executed(
        state_id="tenant-42:roles",
        version=10,
        digest=DIGEST,
        change_set=CHANGES,
        effects=(
            RecordedEffect(id=f"{REQUEST_ID}:0", contract="mail", contract_version=2, payload={"to": "ada", "cc": []}),
        ),
        attempt=2,
    ),
    "ExecutionStarted": ExecutionStarted(
        key=f"{REQUEST_ID}:7",
        attempt=2,
        state_id="tenant-42:roles",
        expected="etag-6",
        value={"admins": ["ada"]},
        digest=DIGEST,
        change_set=CHANGES,
        effects=(RecordedEffect(id=f"{REQUEST_ID}:0", contract="mail", contract_version=2, payload={"to": "ada"}),),
    ),
    "ExecutionFailed": ExecutionFailed(attempt=3, error="ZeroDivisionError: division by zero", final=True),
    "InterceptorFailed": InterceptorFailed(interceptor="notify", stage="after", error="OSError: no route"),
    "Rejected": Rejected(code="policy-denied", reason="policy weekend denies: no"),
    "Canceled": Canceled(reason=WHY),
    "Expired": Expired(expires_at=AT),
    "Superseded": Superseded(by=OTHER_ID),
    "Replaced": Replaced(predecessor=OTHER_ID),
    "Compensated": Compensated(by=OTHER_ID, kind="restore", version=11),
    "CompensationFailed": CompensationFailed(
        by=OTHER_ID, reason="the state moved from version 10 to 11", owner="grace"
    ),
    "StateChanged": StateChanged(
        state_type="Roles",
        value={"admins": ["ada", "wø€🚀"], "limits": {"a/b": {"max": 2, "on": None}}, "_type_": "x"},
        digest=DIGEST,
        change_set=CHANGES,
        request_id=REQUEST_ID,
    ),
    "EffectDelivered": EffectDelivered(effect_id=f"{REQUEST_ID}:0", attempt=3, handler="mail", answer="204"),
    "EffectFailed": EffectFailed(effect_id=f"{REQUEST_ID}:0", attempt=2, handler="mail", error=WHY, retry_at=AT + HOUR),
    "EffectRetried": EffectRetried(effect_id=f"{REQUEST_ID}:0", reason=WHY),
    "EffectDropped": EffectDropped(effect_id=f"{REQUEST_ID}:0", reason=WHY),
    **CONDITIONS,
    "PlaceTaken": PlaceTaken(request_id=REQUEST_ID, besides=(OTHER_ID,)),
    "ExternalStateChanged": ExternalStateChanged(
        state_type="Roles",
        value={"admins": ["ada"]},
        digest=DIGEST,
        change_set=CHANGES,
        request_id="",
        external_version="etag-7",
    ),
    "KeyClaimed": KeyClaimed(request_id=BATCH_ID, content_digest=DIGEST, kind="batch"),
    "BatchCreated": BatchCreated(requests=(REQUEST_ID, OTHER_ID), atomic=True, reason=WHY),
    "BatchExecuted": BatchExecuted(),
    "BatchFailed": BatchFailed(request_id=OTHER_ID, reason=WHY, executed=(REQUEST_ID,)),
    "BatchItemCompensated": BatchItemCompensated(request_id=REQUEST_ID, by=OTHER_ID, done=True),
    "BatchItemNotCompensated": BatchItemNotCompensated(request_id=REQUEST_ID, reason=WHY),
    "SubjectForgotten": SubjectForgotten(subject="ada", keys=("0123456789abcdef" * 2,), reason=WHY),
}

STREAMS = {
    **CONDITION_STREAMS,
    "StateChanged": "governedState-tenant-42:roles",
    "ExternalStateChanged": "governedState-tenant-42:roles",
    "KeyClaimed": "idempotencyKey-deploy-77/grant",
    "PlaceTaken": "mutationPlace-grant_admin:tenant-42:roles",
    "SubjectForgotten": "personalData-ada",
    **dict.fromkeys((topic for topic in SAMPLES if topic.startswith("Batch")), f"mutationBatch-{BATCH_ID}"),
}


def sample(topic: str) -> Recorded:
    """Return the sample of an event in its place."""
    return Recorded(
        stream=STREAMS.get(topic, f"mutationRequest-{REQUEST_ID}"),
        version=1 if topic in {"Created", *STREAMS} else 5,
        at=AT,
        by=GRACE,
        correlation_id="trace-00f067aa0ba902b7",
        causation_id=OTHER_ID,
        append_id="0198a000-0000-7000-8000-00000000000a",
        event=SAMPLES[topic],
    )
