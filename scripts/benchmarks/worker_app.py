"""The application that measured workers run: counters that are moved, each by one request at a time."""

from pydantic import BaseModel

from governance import App, Mutation


class Counter(BaseModel):
    """A number."""

    value: int = 0


class Add(Mutation[Counter]):
    """Moves a counter."""

    amount: int = 1

    def apply(self, state: Counter) -> Counter:
        """Return the counter moved."""
        return Counter(value=state.value + self.amount)


app = App(mutations=[Add])
