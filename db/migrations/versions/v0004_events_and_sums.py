"""What happened, for those who watch; and the sums of scores, by series and day, and by series and step."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _sums() -> list[sa.Column[object]]:
    return [
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("error", sa.Double(), nullable=False),
        sa.Column("naive_error", sa.Double(), nullable=False),
        sa.Column("scaled_count", sa.Integer(), nullable=False),
        sa.Column("scaled_error", sa.Double(), nullable=False),
        sa.Column("inside", sa.JSON(), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("panel", sa.String(), nullable=False),
        sa.Column("series", sa.String(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    for table, key, kind in (("score_days", "day", sa.BigInteger()), ("score_steps", "step", sa.Integer())):
        op.create_table(
            table,
            sa.Column("series_id", sa.Integer(), nullable=False),
            sa.Column(key, kind, nullable=False),
            *_sums(),
            sa.ForeignKeyConstraint(["series_id"], ["series.id"]),
            sa.PrimaryKeyConstraint("series_id", key),
            sqlite_with_rowid=False,
        )
