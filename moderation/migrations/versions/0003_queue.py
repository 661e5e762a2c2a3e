"""The moderators' queue: sort keys, indexes of held comments, similar ones, authors' standing.

Revision ID: 0003
Revises: 0002
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from moderation.similarity import bands

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_WORDS = {"head": 16, "rule": 32, "language": 8}
_FIGURES = {"uncertainty": "1", "harm": "0"}
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
_INDEXES = {
    "ix_comment_held": ("held", ["id", *_FILTERED_BY]),
    "ix_comment_held_uncertainty": ("held", ["uncertainty", "id", *_FILTERED_BY]),
    "ix_comment_held_harm": ("held", ["harm", "id", *_FILTERED_BY]),
    "ix_comment_held_author": ("held", ["author_id", "site_id"]),
    "ix_comment_rejected_author": ("rejected", ["author_id", "site_id"]),
    "ix_comment_pending": ("pending", ["id"]),
    "ix_comment_approved": ("approved", ["id", "site_id"]),
    "ix_comment_rejected": ("rejected", ["id", "site_id"]),
}


_HELD = sa.text(
    "SELECT id, site_id, fingerprint FROM comment WHERE status = 'held' AND fingerprint IS NOT NULL"
)


def upgrade() -> None:
    for name, length in _WORDS.items():
        op.add_column(
            "comment", sa.Column(name, sa.String(length), nullable=False, server_default="")
        )
    for name, default in _FIGURES.items():
        op.add_column(
            "comment", sa.Column(name, sa.Float(), nullable=False, server_default=default)
        )
    # What waits already: its probability says how harmful it is.
    op.execute("UPDATE comment SET harm = COALESCE(score, 0) WHERE status = 'held'")
    op.drop_index("ix_comment_queue", table_name="comment")
    for name, (status, columns) in _INDEXES.items():
        where = sa.text(f"status = '{status}'")
        op.create_index(name, "comment", columns, sqlite_where=where, postgresql_where=where)
    similar = op.create_table(
        "similar",
        sa.Column("band", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("comment_id", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("band", "comment_id", name=op.f("pk_similar")),
        sqlite_with_rowid=False,
    )
    rows = [
        {"band": band, "comment_id": row.id, "fingerprint": row.fingerprint}
        for row in op.get_bind().execute(_HELD)
        for band in bands(row.site_id, row.fingerprint)
    ]
    if rows:
        op.bulk_insert(similar, rows)
    op.create_table(
        "author_standing",
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("author_id", sa.String(length=32), nullable=False),
        sa.Column("standing", sa.String(length=8), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("moderator", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_author_standing_site_id")),
        sa.PrimaryKeyConstraint("site_id", "author_id", name=op.f("pk_author_standing")),
    )
    op.add_column(
        "event",
        sa.Column("kind", sa.String(length=16), nullable=False, server_default="decision"),
    )
    by_moderator = sa.text("actor_kind = 'moderator'")
    op.create_index(
        "ix_event_moderator",
        "event",
        ["actor", "id"],
        sqlite_where=by_moderator,
        postgresql_where=by_moderator,
    )


def downgrade() -> None:
    op.drop_index("ix_event_moderator", table_name="event")
    op.drop_column("event", "kind")
    op.drop_table("author_standing")
    op.drop_table("similar")
    for name in _INDEXES:
        op.drop_index(name, table_name="comment")
    op.create_index("ix_comment_queue", "comment", ["status", "id"])
    for name in (*_WORDS, *_FIGURES):
        op.drop_column("comment", name)
