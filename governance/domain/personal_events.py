"""Facts about personal data: whose was erased."""

from typing import ClassVar

from governance.domain.terms import Fact


class SubjectForgotten(Fact):
    """The keys of a person were destroyed, and with them all that was sealed under them."""

    category: ClassVar[str] = "personal data"
    subject: str
    keys: tuple[str, ...]
    reason: str


PersonalEvent = SubjectForgotten
"""What the stream of a person's data holds."""
