"""What labels say about the thresholds of each model, and the thresholds that follow from goals"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "operating_point",
        sa.Column("site_id", _ROW_ID, nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("approve_precision", sa.Float(), nullable=True),
        sa.Column("reject_precision", sa.Float(), nullable=True),
        sa.Column("approve_below", sa.Float(), nullable=True),
        sa.Column("reject_from", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_operating_point_site_id"),
        sa.PrimaryKeyConstraint("site_id", "model", name="pk_operating_point"),
    )


def downgrade() -> None:
    op.drop_table("operating_point")
