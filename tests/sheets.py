"""States with a total and cells, and the mutations of them that the tests of drift and compensation use."""

from typing import Any

from pydantic import BaseModel

from governance import Mutation, allow, approval, policy, require

LEAD = approval(role="lead")


class Sheet(BaseModel):
    """A total that must not become negative, and cells that are independent of each other."""

    total: int = 0
    cells: dict[str, int] = {}


class AddToTotal(Mutation[Sheet]):
    amount: int

    def apply(self, state: Sheet) -> Sheet:
        return Sheet(total=state.total + self.amount, cells=state.cells)

    def validate_on(self, state: Sheet) -> list[str]:
        return [f"{state.total} is all there is"] if state.total + self.amount < 0 else []

    def inverse(self, before: Sheet, after: Sheet) -> "AddToTotal":
        return AddToTotal(amount=-self.amount)


class DropCell(Mutation[Sheet]):
    cell: str

    def apply(self, state: Sheet) -> Sheet:
        return Sheet(total=state.total, cells={name: each for name, each in state.cells.items() if name != self.cell})

    def reads(self) -> list[str]:
        return [f"/cells/{self.cell}"]

    def inverse(self, before: Sheet, after: Sheet) -> Any:
        return as_before(self.cell, before)


class SetCell(Mutation[Sheet]):
    """Reads and writes one cell, and says so."""

    cell: str
    number: int

    def apply(self, state: Sheet) -> Sheet:
        return Sheet(total=state.total, cells={**state.cells, self.cell: self.number})

    def reads(self) -> list[str]:
        return [f"/cells/{self.cell}"]

    def inverse(self, before: Sheet, after: Sheet) -> Any:
        return as_before(self.cell, before)


def as_before(cell: str, before: Sheet) -> Mutation[Sheet]:
    """Return what gives a cell the content that it had."""
    return SetCell(cell=cell, number=before.cells[cell]) if cell in before.cells else DropCell(cell=cell)


class Wipe(Mutation[Sheet]):
    """Has no inverse: only a restoration puts it right."""

    def apply(self, state: Sheet) -> Sheet:
        return Sheet()


MUTATIONS: tuple[type[Mutation[Any]], ...] = (AddToTotal, SetCell, DropCell, Wipe)
MUCH = 100


@policy(AddToTotal)
def much_needs_a_lead(mutation: AddToTotal, state: Sheet, context: Any) -> Any:
    """Ask for a lead's approval of large amounts, and of undoing them."""
    return require(LEAD) if abs(mutation.amount) >= MUCH else allow()
