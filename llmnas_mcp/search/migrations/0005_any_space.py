"""Searches in any space: an objective may need no device, more can be limited, niches may be cut in equal steps."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns; a device is no longer needed."""
    if "device" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("searches")}:
        return  # another program's table, which is refused afterwards
    with op.batch_alter_table("searches") as table:
        table.alter_column("device", existing_type=sa.String(40), nullable=True)
        table.add_column(sa.Column("max_macs", sa.Float))
        table.add_column(sa.Column("max_params", sa.Float))
        table.add_column(sa.Column("cut", sa.String(20), nullable=False, server_default="clusters"))
