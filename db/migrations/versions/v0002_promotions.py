"""Promotions as rows of their own, so that a model can serve again; of a forecast its unit and its scale."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("panel", sa.String(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("promoted_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_promotions_newest", "promotions", ["panel", "id"], unique=False)
    op.execute(
        "INSERT INTO promotions (panel, model_id, promoted_at, reason)"
        " SELECT panel, id, promoted_at, 'won its refit' FROM models WHERE promoted_at IS NOT NULL ORDER BY id"
    )
    op.execute(
        "CREATE TRIGGER promotions_append_only BEFORE UPDATE ON promotions "
        "BEGIN SELECT RAISE(ABORT, 'promotions are append-only: promote another model instead'); END"
    )
    # Until now a model was promoted if, and only if, the gate had accepted it.
    op.add_column("models", sa.Column("accepted", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE models SET accepted = promoted_at IS NOT NULL")
    op.drop_column("models", "promoted_at")
    op.add_column("forecasts", sa.Column("unit", sa.Double(), nullable=True))
    op.add_column("forecasts", sa.Column("scale", sa.Double(), nullable=True))
    op.create_index("ix_forecasts_of_model", "forecasts", ["series_id", "model_id", "cutoff"], unique=False)
