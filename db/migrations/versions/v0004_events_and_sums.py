"""What happened, for those who watch; and the sums of scores, by series and day, and by series and step."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


# Of one series at a time, so that a database of any size takes the memory of one. The sums are told apart by {by}.
FILL = """
    INSERT INTO {table}
    WITH scored AS (
        SELECT {by} AS key, s.*, abs(s.error) / CASE WHEN f.scale > 0 THEN f.scale END AS scaled
        FROM scores s JOIN forecasts f ON f.id = s.forecast_id WHERE s.series_id = :series_id
    ), shares AS (
        SELECT s.key, b.level, sum(s.value BETWEEN b.lo AND b.hi) AS fell, count(*) AS of
        FROM scored s JOIN forecast_bounds b ON b.forecast_id = s.forecast_id AND b.step = s.step GROUP BY 1, 2
    ), insides AS (
        SELECT key, json_group_object(level, json_array(fell, of)) AS inside FROM shares GROUP BY 1
    )
    SELECT :series_id, s.key, count(*), sum(abs(s.error)), sum(abs(s.naive_error)), count(s.scaled), total(s.scaled),
        coalesce(i.inside, '{{}}')
    FROM scored s LEFT JOIN insides i ON i.key = s.key GROUP BY s.key"""
DAY = 86_400_000_000  # µs
BY = {
    "score_days": f"s.target_ts - ((s.target_ts % {DAY}) + {DAY}) % {DAY}",  # also before 1970
    "score_steps": "s.step",
}


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
    _fill_sums()
    op.create_index("ix_runs_newest_of_outcome", "runs", ["panel", "job", "outcome", "id"], unique=False)


def _fill_sums() -> None:
    connection = op.get_bind()
    for (series_id,) in connection.execute(sa.text("SELECT id FROM series ORDER BY id")).all():
        for table, by in BY.items():
            connection.execute(sa.text(FILL.format(table=table, by=by)), {"series_id": series_id})
