"""A search may have two costs, and a limit on any: what was one number is a list, or has its objective beside it."""

from math import inf
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

AT_ONCE = 10_000  # rows


def upgrade() -> None:
    """Make lists of the columns on costs."""
    inspector = sa.inspect(op.get_bind())
    if "objective" not in {column["name"] for column in inspector.get_columns("searches")}:
        return  # another program's table, which is refused afterwards
    _replace(
        "searches",
        "search_id",
        lambda row: {
            "objectives": [row["objective"]],
            # A count could have two limits, by two names: the last one stays, which is the lowest.
            "limits": {
                name: limit
                for limit, name in sorted(
                    (
                        (row["max_cost"] or inf, row["objective"]),
                        (row["max_macs"] or inf, "macs"),
                        (row["max_params"] or inf, "params"),
                    ),
                    reverse=True,
                )
                if limit < inf
            },
            "low": [row["cost_low"]],
            "high": [row["cost_high"]],
        },
        old=("objective", "max_cost", "max_macs", "max_params", "cost_low", "cost_high"),
        new=("objectives", "limits", "low", "high"),
    )
    _replace(
        "members",
        "id",
        lambda row: {"costs": [row["cost"]], "cost_sources": [row["cost_source"]]},
        old=("cost", "cost_source"),
        new=("costs", "cost_sources"),
    )
    with op.batch_alter_table("searches") as table:
        table.alter_column("low", new_column_name="cost_low", existing_type=sa.JSON, existing_nullable=False)
        table.alter_column("high", new_column_name="cost_high", existing_type=sa.JSON, existing_nullable=False)


def _replace(name: str, key: str, values: Any, old: tuple[str, ...], new: tuple[str, ...]) -> None:
    """Columns `new`, of JSON and never empty, in place of `old`, filled row by row with `values`."""
    connection = op.get_bind()
    for column in new:
        op.add_column(name, sa.Column(column, sa.JSON))
    table = sa.table(name, *(sa.column(one) for one in (key, *old)), *(sa.column(one, sa.JSON) for one in new))
    rows = connection.execute(sa.select(*(table.c[one] for one in (key, *old)))).mappings().all()
    filled = [{"its_key": row[key], **values(row)} for row in rows]
    update = table.update().where(table.c[key] == sa.bindparam("its_key"))
    update = update.values({one: sa.bindparam(one, type_=sa.JSON) for one in new})
    for start in range(0, len(filled), AT_ONCE):
        connection.execute(update, filled[start : start + AT_ONCE])
    with op.batch_alter_table(name) as batch:
        for column in new:
            batch.alter_column(column, existing_type=sa.JSON, nullable=False)
        for column in old:
            batch.drop_column(column)
        if name == "members":  # a vision transformer's layers take more than the 400 there were
            batch.alter_column("architecture", existing_type=sa.String(400), type_=sa.String(1000), nullable=False)
