"""A policy file with tests, and an application that it is for."""

POLICIES = """\
version: 1
requirements:
  leads: {role: security-lead, quorum: 2, expires_after: 6h}
  unused: {actor: ada}
policies:
  - name: production
    applies_to: grant_admin
    when: '"production" in intent.tags && mutation.user != "ada"'
    then: {require: leads, reason: it is production}
  - name: no-root
    applies_to: [Roles]
    when: mutation.user == "root"
    then: {deny: {reason: "nobody is \\e[31mroot", code: no-root}}
  - name: lower
    applies_to: grant_admin
    when: mutation.user != mutation.user.lowerAscii()
    then: {amend: {payload: {user: mutation.user.lowerAscii()}}}
tests:
  - name: production asks for leads
    mutation: {type: grant_admin, payload: {user: Bob}}
    state_type: Roles
    intent: {tags: [production]}
    expect: {decision: require, requirements: [leads], payload: {user: bob}, policies: {lower: amend, no-root: allow}}
  - name: root is refused
    mutation: {type: grant_admin, payload: {user: root}}
    state_type: Roles
    state: {admins: [ada]}
    actor: grace:lead
    expect: {decision: deny, codes: [no-root]}
"""
APP = """
from pydantic import BaseModel
from governance import App, Mutation, approval, deny, policy, require

class Roles(BaseModel):
    admins: tuple[str, ...] = ()

class GrantAdmin(Mutation[Roles]):
    user: str
    def apply(self, state):
        return Roles(admins=(*state.admins, self.user))
    def validate_on(self, state):
        return [f"{self.user} is already an admin"] if self.user in state.admins else []

@policy(GrantAdmin)
def one_lead(mutation, state, context):
    return require(approval(role="lead"))

@policy(GrantAdmin)
def nobody(mutation, state, context):
    return deny("no \\x1b[31mway")

app = App(mutations=[GrantAdmin], policies=[one_lead])
strict = [nobody]
def made():
    return strict
one = nobody
number = 5
"""
