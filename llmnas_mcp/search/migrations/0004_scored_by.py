"""What a search goes by: the zero-cost score, as all did until now, or for comparison the number of parameters."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    op.add_column("searches", sa.Column("scored_by", sa.String(20), nullable=False, server_default="zero-cost"))
