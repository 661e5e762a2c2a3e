"""Events by site and time; figures of days that are over; exports"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("event", sa.Column("site_id", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE event SET site_id ="
        " (SELECT comment.site_id FROM comment WHERE comment.id = event.comment_id)"
    )
    with op.batch_alter_table("event") as batch:
        batch.alter_column("site_id", existing_type=sa.BigInteger(), type_=_ROW_ID, nullable=False)
        batch.create_foreign_key("fk_event_site_id", "site", ["site_id"], ["id"])
    op.create_index("ix_event_site_id", "event", ["site_id", "id"])
    op.create_index("ix_event_at", "event", ["at"])
    remark = sa.text("kind <> 'decision'")
    op.create_index(
        "ix_event_remark", "event", ["kind", "id"], sqlite_where=remark, postgresql_where=remark
    )
    op.create_table(
        "day_figures",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("site_id", _ROW_ID, nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_day_figures_site_id"),
        sa.PrimaryKeyConstraint("day", "site_id", name="pk_day_figures"),
    )
    op.create_table(
        "export",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("form", sa.String(length=8), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("with_emails", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_export"),
    )


def downgrade() -> None:
    op.drop_table("export")
    op.drop_table("day_figures")
    for name in ("ix_event_remark", "ix_event_at", "ix_event_site_id"):
        op.drop_index(name, table_name="event")
    with op.batch_alter_table("event") as batch:
        batch.drop_constraint("fk_event_site_id", type_="foreignkey")
        batch.drop_column("site_id")
