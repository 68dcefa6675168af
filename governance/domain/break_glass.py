"""Break-glass: running without approvals in an emergency, by a right of its own, and reviewed by somebody else."""

from collections.abc import Sequence
from datetime import datetime

from governance.domain.actors import ADMINISTRATORS
from governance.domain.commands import BreakGlass, Review
from governance.domain.errors import AlreadyDecidedError, InvalidTransitionError, NotAuthorizedError, SelfApprovalError
from governance.domain.events import Approved, GlassBroken, RequestEvent, Reviewed
from governance.domain.expiry import check_in_time
from governance.domain.request import MutationRequest


def break_glass(command: BreakGlass, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    """Return the events that let a pending request run as it is now, and open its review.

    For holders of the permission only; an administrator without it may not either. It holds for this round: if the
    state moves in a way that matters, the new round needs approvals, or the glass broken again.
    """
    if command.permission not in command.actor.roles:
        msg = f"{command.actor.id} may not break the glass: that takes the role {command.permission}"
        raise NotAuthorizedError(msg, request=request.id, actor=command.actor.id)
    check_in_time(request, now)
    return [
        GlassBroken(
            reason=command.reason,
            requirements=tuple(each.id for each in request.open_requirements),
            review_until=now + command.review_after,
        ),
        Approved(round=request.round),
    ]


def review(command: Review, request: MutationRequest) -> Sequence[RequestEvent]:
    """Return the end of the review; by an administrator or a holder of the permission who has no part in the deed."""
    broken = request.glass_break
    if broken is None:
        msg = f"nobody broke the glass for request {request.id}: there is nothing to review"
        raise InvalidTransitionError(msg, request=request.id, status=request.status, command="review")
    if broken.reviewed_by is not None:
        msg = f"{broken.reviewed_by} has reviewed request {request.id} already"
        raise AlreadyDecidedError(msg, request=request.id, actor=command.actor.id)
    if command.actor.people & (broken.by.people | request.requester.people):
        msg = f"{command.actor.id} had a part in request {request.id} and may not review it"
        raise SelfApprovalError(msg, request=request.id, actor=command.actor.id)
    if command.actor.kind not in ADMINISTRATORS and command.permission not in command.actor.roles:
        msg = f"{command.actor.id} may not review: that takes the role {command.permission}"
        raise NotAuthorizedError(msg, request=request.id, actor=command.actor.id)
    return [
        Reviewed(reviewer=command.actor.person, justified=command.justified, comment=command.comment),
    ]
