"""A case with personal data: people are hired into teams, and their addresses are sealed."""

from typing import Annotated

from pydantic import BaseModel

from governance import Actor, Governance, Mutation, personal
from governance.settings import Settings

GRACE = Actor(id="grace", name="Grace Hopper")
ALAN = Actor(id="alan", name="Alan Turing")
WORKER = Actor(id="worker", kind="service")
TEAM = "tenant-42:team"
SECRETS = ("ada@example.org", "0151-2345", "Grace Hopper", "Alan Turing", "because of her skills", "met her", "ward 7")
TEXTS = Settings(personal_texts=("name", "reason", "comment", "metadata"))


class Person(BaseModel):
    """Somebody in a team."""

    id: str
    email: Annotated[str, personal(subject="id")] = ""
    phone: Annotated[str | None, personal(subject="id")] = None


class Team(BaseModel):
    """A state with people in it."""

    name: str = ""
    people: tuple[Person, ...] = ()


class Hire(Mutation[Team]):
    """Takes somebody in."""

    user: str
    email: Annotated[str, personal(subject="user")]
    phone: Annotated[str | None, personal(subject="user")] = None

    def apply(self, state: Team) -> Team:
        person = Person(id=self.user, email=self.email, phone=self.phone)
        return Team(name=state.name, people=(*state.people, person))


class Rename(Mutation[Team]):
    """Touches nothing personal."""

    name: str

    def apply(self, state: Team) -> Team:
        return Team(name=self.name, people=state.people)

    def reads(self) -> list[str]:
        return ["/name"]


ADA = Hire(user="ada", email="ada@example.org", phone="0151-2345")


def opened(url: str, **more: object) -> Governance:
    """Return the case's governance of a store."""
    return Governance.open(url, mutations=[Hire, Rename], **{"settings": TEXTS, **more})  # type: ignore[arg-type]


def hired(governance: Governance, mutation: Hire = ADA) -> str:
    """Return the id of a request that was approved and executed."""
    from governance import approval

    request = governance.submit(
        mutation,
        state_id=TEAM,
        actor=GRACE,
        reason="because of her skills",
        requires=[approval(actor="alan")],
        metadata={"where": {"room": "ward 7"}},
    )
    governance.approve(request.id, actor=ALAN, comment="met her")
    assert governance.execute(request.id, actor=WORKER).executed
    return request.id
