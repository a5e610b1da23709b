"""Exchanges and the options of runs, as they were before databases had versions and these tables already."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the two tables where they are not there."""
    op.create_table(
        "exchanges",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run", sa.String(120), nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("niche", sa.Integer, nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("model", sa.String(80), nullable=False),
        sa.Column("prompt_sha256", sa.String(64), nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("reply", sa.Text),
        sa.Column("end", sa.String(10)),
        sa.Column("valid", sa.Boolean),
        sa.Column("rejected", sa.Integer, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger, nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_microusd", sa.BigInteger, nullable=False),
        sa.Column("most_microusd", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_exchanges_run", "exchanges", ["run"], if_not_exists=True)
    op.create_table(
        "llm_runs",
        sa.Column("run", sa.String(120), primary_key=True),
        sa.Column("options", sa.JSON, nullable=False),
        if_not_exists=True,
    )
