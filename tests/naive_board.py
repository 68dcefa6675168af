"""What the model and the product act on alike: a board of admins with a note, people, and what is asked of them."""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from governance import Actor, Context, Governance, Mutation, approval, deny, policy, require
from governance import allow as allowed
from governance.domain.actors import ActorKind
from governance.domain.events import ApprovalGranted, ApprovalWithdrawn, Executed, PendingApproval
from governance.domain.requirements import Requirement
from tests import naive_model as naive
from tests.cases import HOUR, START

STATE = "board"


class Board(BaseModel):
    admins: tuple[str, ...] = ()
    note: str = ""


class Revoke(Mutation[Board]):
    text: str

    def apply(self, state: Board) -> Board:
        return Board(admins=tuple(each for each in state.admins if each != self.text), note=state.note)

    def reads(self) -> list[str]:
        return ["/admins"]


class Grant(Mutation[Board]):
    text: str

    def apply(self, state: Board) -> Board:
        return Board(admins=(*state.admins, self.text), note=state.note)

    def validate_on(self, state: Board) -> list[str]:
        return ["is an admin"] if self.text in state.admins else []

    def inverse(self, before: Board, after: Board) -> Revoke:
        return Revoke(text=self.text)


class Note(Mutation[Board]):
    text: str

    def apply(self, state: Board) -> Board:
        return Board(admins=state.admins, note=self.text)

    def reads(self) -> list[str]:
        return ["/note"]

    def inverse(self, before: Board, after: Board) -> "Note":
        return Note(text=before.note)


@policy(Grant)
def freeze_and_audit(mutation: Grant, state: Board, context: Context) -> object:
    if state.note == "frozen":
        return deny("frozen")
    return require(approval(role="auditor")) if len(state.admins) >= 2 else allowed()


MUTATIONS: dict[str, type[Mutation[Board]]] = {"grant": Grant, "revoke": Revoke, "note": Note}
LEAD, AUDITOR = frozenset({"lead"}), frozenset({"auditor"})
PEOPLE = [
    naive.Person("ada", LEAD),
    naive.Person("bob", LEAD | AUDITOR),
    naive.Person("cy", LEAD),
    naive.Person("dan", AUDITOR),
    naive.Person("eve"),
    naive.Person("root", administrator=True),
    naive.Person("eve", LEAD, acts_for="ada"),
    naive.Person("bob", LEAD, acts_for="cy"),
]
ASKS = [
    naive.Ask(role="lead"),
    naive.Ask(role="lead", quorum=2),
    naive.Ask(role="auditor"),
    naive.Ask(role="auditor", step=2),
    naive.Ask(names=frozenset({"ada", "bob", "cy"}), quorum=2, veto=False),
    naive.Ask(role="lead", hours=3),
    naive.Ask(role="lead", until=START + 8 * HOUR),
    naive.Ask(role="lead", quorum=2, step=3, veto=False),
]


def actor(person: naive.Person) -> Actor:
    """Return the person as the product knows them."""
    kind: ActorKind = "administrator" if person.administrator else "user"
    return Actor(id=person.id, kind=kind, roles=tuple(sorted(person.roles)), on_behalf_of=person.acts_for)


def requirement(ask: naive.Ask) -> Requirement:
    """Return what is asked for as the product knows it."""
    return approval(
        role=ask.role or (),
        actor=sorted(ask.names),
        quorum=ask.quorum,
        step=ask.step,
        expires_after=timedelta(hours=ask.hours) if ask.hours else None,
        expires_at=ask.until,
        veto=ask.veto,
    )


def enough_people_approved(history: Any) -> None:
    """Check, from the events alone, that what ran had been approved by enough people who were entitled to that."""
    requester = history[0].event.requester.people
    end = next(index for index, each in enumerate(history) if isinstance(each.event, Executed))
    opened = [each.event for each in history[:end] if isinstance(each.event, PendingApproval)]
    last_round = max((each.round for each in opened), default=0)
    for requirement in (each for each in opened if each.round == last_round):
        standing: dict[str, Any] = {}
        for each in history[:end]:
            event = each.event
            if isinstance(event, ApprovalGranted) and event.requirement_id == requirement.requirement_id:
                assert event.digest == requirement.digest
                assert event.matched.matches(each.by)
                standing[event.approver] = each.by
            if isinstance(event, ApprovalWithdrawn) and event.requirement_id == requirement.requirement_id:
                standing.pop(event.approver, None)
        behind = [person for by in standing.values() for person in by.people]
        assert len(behind) == len(set(behind)), "one person fills two slots"
        assert not requester & set(behind), "the requester had a part in it"
        assert len(standing) >= requirement.requirement.quorum


def partners_exist(gov: Governance, request: Any) -> bool:
    """Return whether every link leads to a request that links back."""
    links = request.links
    if links.compensated_by is not None:
        assert gov.request(links.compensated_by).links.compensates == request.id
    if links.superseded_by is not None:
        assert gov.request(links.superseded_by).links.supersedes == request.id
    if links.compensates is not None and request.resulting_version is not None:
        assert gov.request(links.compensates).links.compensated_by == request.id
    return True
