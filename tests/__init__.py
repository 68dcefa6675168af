"""Everything that shows that governance and projections do what they say."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
