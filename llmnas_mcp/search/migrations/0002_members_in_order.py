"""Members that came since the last look are found without going through all of a search's."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the index."""
    op.create_index("members_in_order", "members", ["search_id", "id"])
