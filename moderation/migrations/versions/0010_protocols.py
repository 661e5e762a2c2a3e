"""Callbacks, secrets that sign calls, and events of sites' own people found by their names"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _find_by_name(whose: str) -> None:
    op.drop_index("ix_event_moderator", table_name="event")
    condition = sa.text(whose)
    op.create_index(
        "ix_event_moderator",
        "event",
        ["actor", "id"],
        sqlite_where=condition,
        postgresql_where=condition,
    )


def upgrade() -> None:
    op.create_table(
        "callback",
        sa.Column("comment_id", sa.String(length=32), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("guid", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["comment_id"], ["comment.id"], name="fk_callback_comment_id"),
        sa.PrimaryKeyConstraint("comment_id", name="pk_callback"),
    )
    op.create_table(
        "site_secret",
        sa.Column("site_id", _ROW_ID, nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("secret", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_site_secret_site_id"),
        sa.PrimaryKeyConstraint("site_id", "purpose", name="pk_site_secret"),
    )
    _find_by_name("actor_kind <> 'worker'")


def downgrade() -> None:
    _find_by_name("actor_kind = 'moderator'")
    op.drop_table("site_secret")
    op.drop_table("callback")
