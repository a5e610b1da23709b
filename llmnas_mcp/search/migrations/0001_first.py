"""Searches, members and rules, as they were before databases had versions.

Such a database has these tables already, an SQLite file with narrower types by name, which SQLite does not heed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the three tables where they are not there."""
    op.create_table(
        "searches",
        sa.Column("search_id", sa.String(80), primary_key=True),
        sa.Column("space", sa.String(40), nullable=False),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("device", sa.String(40), nullable=False),
        sa.Column("objective", sa.String(10), nullable=False),
        sa.Column("operator", sa.String(40), nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("max_cost", sa.Float),
        sa.Column("evaluations", sa.Integer, nullable=False),
        sa.Column("rounds", sa.Integer),
        sa.Column("offspring", sa.Integer, nullable=False),
        sa.Column("cost_low", sa.Float, nullable=False),
        sa.Column("cost_high", sa.Float, nullable=False),
        sa.Column("niches", sa.JSON, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "members",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("search_id", sa.String(80), sa.ForeignKey("searches.search_id"), nullable=False),
        sa.Column("architecture", sa.String(400), nullable=False),
        sa.Column("niche", sa.Integer, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("cost", sa.Float, nullable=False),
        sa.Column("params", sa.BigInteger, nullable=False),
        sa.Column("score_source", sa.String(80), nullable=False),
        sa.Column("cost_source", sa.Text, nullable=False),
        sa.Column("origin", sa.JSON, nullable=False),
        sa.UniqueConstraint("search_id", "architecture"),
        if_not_exists=True,
    )
    op.create_table(
        "rules",
        sa.Column("search_id", sa.String(80), sa.ForeignKey("searches.search_id"), primary_key=True),
        sa.Column("niche", sa.Integer, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("rule_id", sa.String(40), primary_key=True),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("author", sa.String(40), nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        if_not_exists=True,
    )
