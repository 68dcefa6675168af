"""Deciding: what people do to a request that exists, each a command on that one request."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from governance.domain.actors import SYSTEM, Actor
from governance.domain.commands import (
    Approve,
    BreakGlass,
    Cancel,
    Comment,
    Delegate,
    Expire,
    Reassign,
    Reject,
    Review,
    Supersede,
    Withdraw,
)
from governance.domain.errors import InputError
from governance.domain.json_limits import check_json
from governance.domain.request import MutationRequest
from governance.domain.requirements import Approver
from governance.domain.terms import RejectionReason
from governance.handling import Handler
from governance.ids import request_key
from governance.intake import check_version
from governance.settings import Settings

RequestId = str | UUID


class Decisions:
    """The part of `Governance` that decides on requests."""

    settings: Settings
    _handler: Handler

    def approve(
        self,
        request_id: RequestId,
        *,
        actor: Actor,
        comment: str | None = None,
        requirement: str | None = None,
        expected_version: int | None = None,
        seen: str | None = None,
    ) -> MutationRequest:
        """Say yes to one requirement (by id or name), or to every one of the current step that asks for this actor.

        The approval is bound to the digest of mutation, state, version, change set and requirement. With `seen`, the
        `digest` of the request or requirement that the approver looked at, anything else raises StaleError.
        Raises SelfApprovalError, NotAuthorizedError, AlreadyDecidedError, OutOfStepError, ApprovalExpiredError,
        InvalidTransitionError, NotFoundError; ConcurrencyError when the request is not at `expected_version`, or when
        what there is to approve changed during the call.
        """
        check_version(expected_version, "expected_version")
        command = Approve(actor=actor, requirement=requirement, seen=seen, comment=comment)
        return self._handler.decide(request_key(request_id), command, expected_version)

    def reject(
        self,
        request_id: RequestId,
        *,
        actor: Actor,
        comment: str | None = None,
        requirement: str | None = None,
        reason: RejectionReason | str | None = None,
        expected_version: int | None = None,
        seen: str | None = None,
    ) -> MutationRequest:
        """Say no; ends the request if it is a veto or the quorum cannot be met any more. Raises what `approve` does."""
        check_version(expected_version, "expected_version")
        told = _told(reason)
        check_json(told.metadata, field="reason.metadata", max_bytes=self.settings.max_payload_bytes)
        command = Reject(actor=actor, requirement=requirement, seen=seen, rejection=told, comment=comment)
        return self._handler.decide(request_key(request_id), command, expected_version)

    def withdraw(
        self, request_id: RequestId, *, actor: Actor, reason: str | None = None, requirement: str | None = None
    ) -> MutationRequest:
        """Take one's own decision back while the request is pending; NotFoundError when there is none."""
        command = Withdraw(actor=actor, requirement=requirement, reason=reason)
        return self._handler.decide(request_key(request_id), command, None)

    def comment(self, request_id: RequestId, *, actor: Actor, text: str) -> MutationRequest:
        """Say something, in any status."""
        command = Comment(actor=actor, text=text)
        return self._handler.decide(request_key(request_id), command, None)

    def cancel(self, request_id: RequestId, *, actor: Actor, reason: str | None = None) -> MutationRequest:
        """Take a request back that has not run: for its requester and administrators, else NotAuthorizedError."""
        command = Cancel(actor=actor, reason=reason)
        return self._handler.decide(request_key(request_id), command, None)

    def expire(self, request_id: RequestId, *, actor: Actor = SYSTEM) -> MutationRequest:
        """Record that a deadline of the request has passed; ApprovalExpiredError when none has."""
        return self._handler.decide(request_key(request_id), Expire(actor=actor), None)

    def supersede(self, request_id: RequestId, *, by: RequestId, actor: Actor) -> MutationRequest:
        """Put another open request about the same state in this one's place; both name each other from then on.

        For the requester and administrators, else NotAuthorizedError. Raises InputError for another state or the
        request itself, InvalidTransitionError when either is not open any more, NotFoundError.
        """
        Supersede(actor=actor, by=request_key(by))
        return self._handler.supersede(request_key(request_id), request_key(by), actor)

    def delegate(
        self,
        request_id: RequestId,
        *,
        actor: Actor,
        to: str,
        until: datetime,
        requirement: str | None = None,
        reason: str | None = None,
    ) -> MutationRequest:
        """Let `to` (an actor id) decide in one's place until a time, on one requirement or all that ask for the actor.

        Raises SelfApprovalError for the requester, NotAuthorizedError for who may not decide themselves or may not pass
        it on, InputError for a time that has passed, and what `approve` raises of requirement and deadline.
        """
        command = Delegate(actor=actor, to=to, until=until, requirement=requirement, reason=reason)
        return self._handler.decide(request_key(request_id), command, None)

    def reassign(
        self,
        request_id: RequestId,
        *,
        actor: Actor,
        requirement: str,
        to: Iterable[Approver | str],
        reason: str,
    ) -> MutationRequest:
        """Ask other people instead (actor ids, `role(...)`, `group(...)`); for administrators. Votes so far are void.

        Raises NotAuthorizedError, NotFoundError, and ConfigurationError for what nobody can fill.
        """
        approvers = tuple(each if isinstance(each, Approver) else Approver(kind="actor", id=each) for each in to)
        command = Reassign(actor=actor, requirement=requirement, approvers=approvers, reason=reason)
        return self._handler.decide(request_key(request_id), command, None)

    def break_glass(self, request_id: RequestId, *, actor: Actor, reason: str) -> MutationRequest:
        """Let a pending request run without its open approvals, in an emergency, and open a review of that.

        Takes the role `settings.break_glass_role`, else NotAuthorizedError. The request is approved; `execute` runs it.
        """
        command = BreakGlass(
            actor=actor,
            reason=reason,
            permission=self.settings.break_glass_role,
            review_after=self.settings.break_glass_review_after,
        )
        return self._handler.decide(request_key(request_id), command, None)

    def review(self, request_id: RequestId, *, actor: Actor, justified: bool, comment: str) -> MutationRequest:
        """Close the review of broken glass: for administrators and holders of `settings.break_glass_review_role`.

        Raises SelfApprovalError for who asked for the request or broke the glass, AlreadyDecidedError,
        NotAuthorizedError, and InvalidTransitionError when there is nothing to review.
        """
        permission = self.settings.break_glass_review_role
        command = Review(actor=actor, justified=justified, comment=comment, permission=permission)
        return self._handler.decide(request_key(request_id), command, None)


def _told(reason: RejectionReason | str | None) -> RejectionReason:
    if isinstance(reason, RejectionReason):
        return reason
    try:
        return RejectionReason() if reason is None else RejectionReason(message=reason)
    except InputError as error:
        raise InputError(error.message.replace("message", "reason", 1), field="reason") from None
