"""The case that `gov demo` plays: who may administer a tenant. Also an example of an application."""

from datetime import timedelta

from pydantic import BaseModel

from governance import App, Context, Mutation, approval, policy, require
from governance.domain.policies import Answer


class Roles(BaseModel):
    """Who may do what in a tenant."""

    admins: tuple[str, ...] = ()
    auditors: tuple[str, ...] = ()


class ImportRoles(Mutation[Roles]):
    """Take over the roles of a tenant from elsewhere, once, before anything else."""

    admins: tuple[str, ...]

    def apply(self, state: Roles) -> Roles:
        """Return the imported roles."""
        return Roles(admins=self.admins)

    def validate_on(self, state: Roles) -> list[str]:
        """Refuse to import over something."""
        return [] if state == Roles() else ["the tenant has roles already"]


class GrantAdmin(Mutation[Roles]):
    """Make somebody an administrator."""

    risk = "high"
    tags = ("access",)

    user: str

    def apply(self, state: Roles) -> Roles:
        """Return the roles with one administrator more."""
        return state.model_copy(update={"admins": (*state.admins, self.user)})

    def validate_on(self, state: Roles) -> list[str]:
        """Refuse to grant what is granted."""
        return [f"{self.user} is an administrator already"] if self.user in state.admins else []

    def inverse(self, before: Roles, after: Roles) -> "RevokeAdmin":
        """Return the mutation that takes it back."""
        return RevokeAdmin(user=self.user)


class RevokeAdmin(Mutation[Roles]):
    """Take the rights of an administrator away."""

    tags = ("access",)

    user: str

    def apply(self, state: Roles) -> Roles:
        """Return the roles with one administrator less."""
        return state.model_copy(update={"admins": tuple(each for each in state.admins if each != self.user)})

    def validate_on(self, state: Roles) -> list[str]:
        """Refuse to take away what is not there."""
        return [] if self.user in state.admins else [f"{self.user} is no administrator"]


@policy(GrantAdmin)
def two_security_leads(mutation: GrantAdmin, state: Roles, context: Context) -> Answer:
    """Whoever becomes an administrator, two security leads have to agree; taking rights away needs nobody."""
    return require(approval(role="security-lead", quorum=2, expires_after=timedelta(hours=6)))


app = App(mutations=(ImportRoles, GrantAdmin, RevokeAdmin), policies=(two_security_leads,))
