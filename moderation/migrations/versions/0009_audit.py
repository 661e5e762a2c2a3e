"""The random audit; notices of more than the queue's age"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_FILTERED_BY = [
    "site_id",
    "thread_id",
    "head",
    "reason",
    "rule",
    "score",
    "language",
    "author_id",
]
_QUEUE = {
    "ix_comment_held": ["id", *_FILTERED_BY],
    "ix_comment_held_uncertainty": ["uncertainty", "id", *_FILTERED_BY],
    "ix_comment_held_harm": ["harm", "id", *_FILTERED_BY],
    "ix_comment_held_author": ["author_id", "site_id"],
}


def upgrade() -> None:
    op.add_column(
        "comment", sa.Column("audit", sa.String(length=8), nullable=False, server_default="")
    )
    op.add_column("comment", sa.Column("propensity", sa.Float(), nullable=True))
    _rebuild(_QUEUE, "status = 'held' OR audit = 'open'")
    _rebuild({"ix_comment_author": ["site_id", "author_id", "audit"]}, "status = 'approved'")
    _create("ix_comment_drawn", ["site_id", "audit", "id", "propensity"], "propensity IS NOT NULL")
    of_audit = sa.text("selection = 'audit'")
    op.create_index(
        "ix_label_audit",
        "label",
        ["comment_id", "site_id"],
        sqlite_where=of_audit,
        postgresql_where=of_audit,
    )
    op.create_table(
        "notice",
        sa.Column("site_id", _ROW_ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("trouble", sa.Boolean(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("tried_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_notice_site_id"),
        sa.PrimaryKeyConstraint("site_id", "kind", name="pk_notice"),
    )
    op.execute(
        "INSERT INTO notice (site_id, kind, trouble, told_at, tried_at, failures)"
        " SELECT site_id, 'queue', late, told_at, tried_at, failures FROM queue_notice"
    )
    op.drop_table("queue_notice")


def downgrade() -> None:
    op.create_table(
        "queue_notice",
        sa.Column("site_id", _ROW_ID, nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("tried_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_queue_notice_site_id"),
        sa.PrimaryKeyConstraint("site_id", name="pk_queue_notice"),
    )
    op.execute(
        "INSERT INTO queue_notice (site_id, late, told_at, tried_at, failures)"
        " SELECT site_id, trouble, told_at, tried_at, failures FROM notice WHERE kind = 'queue'"
    )
    op.drop_table("notice")
    op.drop_index("ix_label_audit", table_name="label")
    op.drop_index("ix_comment_drawn", table_name="comment")
    _rebuild({"ix_comment_author": ["site_id", "author_id"]}, "status = 'approved'")
    _rebuild(_QUEUE, "status = 'held'")
    for name in ("propensity", "audit"):
        op.drop_column("comment", name)


def _rebuild(indexes: dict[str, list[str]], where: str) -> None:
    for name, columns in indexes.items():
        op.drop_index(name, table_name="comment")
        _create(name, columns, where)


def _create(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "comment", columns, sqlite_where=condition, postgresql_where=condition)
