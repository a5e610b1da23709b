"""Trainings: how good networks were after some of their epochs, on what data."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "trainings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(40), nullable=False),
        sa.Column("space", sa.String(40), nullable=False),
        sa.Column("architecture", sa.String(1000), nullable=False),
        sa.Column("data", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(40), nullable=False),
        sa.Column("epochs", sa.Integer, nullable=False),
        sa.Column("of_epochs", sa.Integer, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("valid", sa.Float, nullable=False),
        sa.Column("test", sa.Float, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("recipe", sa.JSON, nullable=False),
        sa.Column("split", sa.JSON, nullable=False),
        sa.Column("weights", sa.String(80), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.UniqueConstraint("key", "epochs"),
        if_not_exists=True,
    )
    op.create_index("trainings_in_space", "trainings", ["space", "id"], if_not_exists=True)
