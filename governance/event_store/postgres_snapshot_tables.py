"""The table of snapshots on PostgreSQL."""

from typing import Final

SNAPSHOT_TABLES: Final = (
    """
CREATE TABLE {schema}.governance_snapshots (
    stream text COLLATE "C" NOT NULL PRIMARY KEY,
    version bigint NOT NULL,
    position bigint NOT NULL,
    code text COLLATE "C" NOT NULL,
    body text COLLATE "C" NOT NULL
)
""",
)

SNAPSHOT_RIGHTS: Final = """
GRANT SELECT, INSERT, UPDATE ON {schema}.governance_snapshots TO {role};
"""
