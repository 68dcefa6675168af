"""Why a command was refused: one tree, each error names its rule and carries the ids it speaks of."""

from typing import ClassVar


class GovernanceError(Exception):
    """A command was refused and changed nothing; `rule` names why, `ids` says about what."""

    rule: ClassVar[str] = "governance"

    def __init__(self, message: str, **ids: object) -> None:
        super().__init__(message)
        self.message = message
        self.ids: dict[str, str] = {key: str(value) for key, value in ids.items() if value is not None}

    def __str__(self) -> str:
        return self.message


class InputError(GovernanceError):
    """A value from outside cannot be stored faithfully; `ids["field"]` names it."""

    rule = "input"


class ConfigurationError(GovernanceError):
    """What the application or a policy declares cannot work, such as a quorum that nobody can fill."""

    rule = "configuration"


class NotFoundError(GovernanceError):
    """There is no such request, state, version or requirement."""

    rule = "not-found"


class UnknownEventError(GovernanceError):
    """The store holds an event of a type or version that this program does not know; nothing was imported."""

    rule = "unknown-event"


class UnreadableEventError(GovernanceError):
    """A stored event is damaged: its bytes are not the envelope that this program writes."""

    rule = "unreadable-event"


class MisplacedEventError(UnreadableEventError, TypeError):
    """A stored event stands in a stream, or in a place of it, where no such event can be."""


class UnknownMutationError(GovernanceError):
    """The mutation type, or its schema version, is not registered with this program."""

    rule = "unknown-mutation"


class UnreadableStateError(GovernanceError):
    """A stored state does not fit the model that is registered for it."""

    rule = "unreadable-state"


class InvalidTransitionError(GovernanceError):
    """The request's status does not allow the command."""

    rule = "life-cycle"


class NotAuthorizedError(GovernanceError):
    """The actor is not among those who may do this."""

    rule = "not-authorized"


class SelfApprovalError(NotAuthorizedError):
    """The requester, or who acts for them, may not decide on their own request."""

    rule = "self-approval"


class AlreadyDecidedError(GovernanceError):
    """The actor has decided on this requirement before."""

    rule = "already-decided"


class OutOfStepError(GovernanceError):
    """An earlier step is still open."""

    rule = "step-order"


class ApprovalExpiredError(GovernanceError):
    """The deadline of the requirement, or of the request, has passed."""

    rule = "deadline"


class ValidationFailedError(GovernanceError):
    """The mutation does not fit the state."""

    rule = "validation"


class PolicyDeniedError(GovernanceError):
    """A policy said no."""

    rule = "policy"


class PolicyConflictError(GovernanceError):
    """Two policies ask for what cannot both be: `ids["policies"]` names them, `ids["key"]` what they disagree on."""

    rule = "policy-conflict"


class SamePersonError(NotAuthorizedError):
    """The requirement asks for somebody else than who has decided in another step."""

    rule = "different-people"


class StaleError(GovernanceError):
    """What the caller has seen is not what is there now."""

    rule = "stale"


class DigestMismatchError(GovernanceError):
    """What is stored is not what was approved: somebody changed the store, or it is damaged."""

    rule = "approved-content"


class TamperedError(GovernanceError):
    """What is stored is not what was stored before, or contradicts itself."""

    rule = "tampered"


class NotReversibleError(GovernanceError):
    """The mutation declares no inverse, and none was given."""

    rule = "not-reversible"


class AlreadyCompensatedError(GovernanceError):
    """The request has been compensated before; that happens once."""

    rule = "already-compensated"


class ConcurrencyError(GovernanceError):
    """Somebody else was first; nothing of this call was stored. Load again and decide again."""

    rule = "concurrency"


class InterceptedError(GovernanceError):
    """An interceptor of the application blocked the execution, nothing was stored; `ids["interceptor"]` names it."""

    rule = "interceptor"


class BusyError(ConcurrencyError):
    """As many executions as may run at once do run, and none ended in time; nothing of this call was stored."""

    rule = "busy"


class AlreadyExecutedError(InvalidTransitionError, ConcurrencyError):
    """The request has been executed already, by an earlier call or by the winner of a race."""

    rule = "executed-once"


class NotDueError(GovernanceError):
    """What the request waits for does not hold yet."""

    rule = "not-due"


class ExecutionInDoubtError(InvalidTransitionError):
    """An execution was begun in another system, and nobody knows yet what came of it: it has to be reconciled first."""

    rule = "execution-in-doubt"


class ExecutionBrokenOffError(ExecutionInDoubtError):
    """The execution was begun in another system just now, and that system did not say what came of it."""

    rule = "execution-broken-off"


class EffectSettledError(InvalidTransitionError):
    """The effect was delivered, parked or dropped already: there is nothing left to say about it."""

    rule = "effect-settled"


class IdempotencyConflictError(GovernanceError):
    """The idempotency key was used before, for other content."""

    rule = "idempotency-key"


class StoreUnavailableError(GovernanceError):
    """The database could not be reached within the call's time budget; nothing was stored."""

    rule = "store-unavailable"


class DirectoryUnavailableError(GovernanceError):
    """The directory did not say in time, or not sensibly, who holds a role or belongs to a group: nobody does, then."""

    rule = "directory-unavailable"


class OutcomeUnknownError(GovernanceError):
    """The connection was lost during commit and the outcome could not be found out within the time budget.

    Ask again (`request(id)`) before repeating the command.
    """

    rule = "outcome-unknown"
