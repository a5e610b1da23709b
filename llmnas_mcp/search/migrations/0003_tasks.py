"""Tasks: calls that go on after they were answered with a handle."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "tasks",
        sa.Column("task_id", sa.String(40), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("call", sa.String(400), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("stop", sa.Boolean, nullable=False),
        sa.Column("machine", sa.String(80), nullable=False),
        sa.Column("runner", sa.String(40), nullable=False),
        sa.Column("outcome", sa.JSON),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("updated", sa.String(32), nullable=False),
        sa.Column("expires", sa.String(32), nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_tasks_expires", "tasks", ["expires"], if_not_exists=True)
