"""The story of a request: one line for each of its events; the earlier ones may be read when they are needed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, overload

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from governance.domain.actors import Actor
from governance.domain.errors import MisplacedEventError
from governance.domain.values import Value


class Decision(Value):
    """One line of the request's own story: what was decided, by whom, when and why."""

    category: str
    code: str
    by: Actor
    at: datetime
    reason: str | None = None
    requirement: str | None = None
    version: int


class Earlier:
    """The first lines of a story: how many they are is known, what they say is read when it is needed, and kept."""

    __slots__ = ("_lines", "_read", "count")

    def __init__(self, count: int, read: Callable[[], Iterable[Decision]]) -> None:
        self.count = count
        self._read = read
        self._lines: tuple[Decision, ...] | None = None

    def lines(self) -> tuple[Decision, ...]:
        """Return the lines; MisplacedEventError when they are not as many as they should be."""
        if self._lines is None:
            read = tuple(self._read())
            if len(read) != self.count:
                msg = f"there are {len(read)} events where there should be {self.count}"
                raise MisplacedEventError(msg)
            self._lines = read
        return self._lines


class Story(Sequence[Decision]):
    """Lines of which the first are read when they are needed; in all else like a tuple of them, and equal to it."""

    __slots__ = ("_earlier", "_later")

    def __init__(self, earlier: Earlier, later: tuple[Decision, ...]) -> None:
        self._earlier = earlier
        self._later = later

    def changed(self, change: Callable[[Decision], Decision]) -> "Story":
        """Return the story with every line changed, the earlier ones when they are read."""
        earlier = self._earlier
        return Story(Earlier(earlier.count, lambda: map(change, earlier.lines())), tuple(map(change, self._later)))

    def __len__(self) -> int:
        return self._earlier.count + len(self._later)

    @overload
    def __getitem__(self, key: int) -> Decision: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Decision, ...]: ...
    def __getitem__(self, key: int | slice) -> Decision | tuple[Decision, ...]:
        if isinstance(key, slice):
            return tuple(self._at(each) for each in range(len(self))[key])
        return self._at(range(len(self))[key])

    def __iter__(self) -> Iterator[Decision]:
        yield from self._earlier.lines()
        yield from self._later

    def __reversed__(self) -> Iterator[Decision]:
        yield from reversed(self._later)
        yield from reversed(self._earlier.lines())

    def __add__(self, more: tuple[Decision, ...]) -> "Story":
        return Story(self._earlier, (*self._later, *more))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, tuple | Story) and tuple(self) == tuple(other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"<{self._earlier.count} earlier lines, then {self._later!r}>"

    def __copy__(self) -> "Story":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle all lines, for whoever takes them out may have no store to read them from."""
        return tuple, (tuple(self),)

    def _at(self, place: int) -> Decision:
        later = place - self._earlier.count
        return self._later[later] if later >= 0 else self._earlier.lines()[place]


class _AsTuple:
    """Validates and serialises a story as the tuple of its lines."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        lines = handler.generate_schema(tuple[Decision, ...])
        story_or_lines = core_schema.no_info_wrap_validator_function(
            lambda value, inner: value if isinstance(value, Story) else inner(value), lines
        )
        return core_schema.json_or_python_schema(
            lines,
            story_or_lines,
            serialization=core_schema.wrap_serializer_function_ser_schema(
                lambda value, inner: inner(tuple(value)), schema=lines
            ),
        )


Lines = Annotated[tuple[Decision, ...] | Story, _AsTuple()]
"""All lines of a story: a tuple, unless the earlier ones are still to be read."""
