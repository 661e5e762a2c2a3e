"""Labels, and examples that were never posted here"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# What people decided before there were labels; what was taken back or put back in the queue, not.
_EARLIER_DECISIONS = """
INSERT INTO label (site_id, comment_id, source, actor, at, unwanted, strength, reason, selection,
                   propensity)
SELECT event.site_id, event.comment_id, 'moderator', event.actor, event.at,
       CASE event.to_status WHEN 'rejected' THEN 1.0 ELSE 0.0 END, 1.0, event.reason,
       CASE event.from_status WHEN 'approved' THEN 'published' WHEN 'rejected' THEN 'rejected'
            ELSE 'held' END, 1.0
FROM event JOIN comment ON comment.id = event.comment_id
WHERE event.actor_kind = 'moderator' AND event.kind = 'decision'
  AND event.to_status IN ('approved', 'rejected') AND event.to_status = comment.status
  AND event.id = (SELECT max(last.id) FROM event AS last
                  WHERE last.comment_id = event.comment_id AND last.kind IN ('decision', 'undo'))
"""


def upgrade() -> None:
    op.create_table(
        "example",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("site_id", _ROW_ID, nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("origin_id", sa.String(length=255), nullable=False),
        sa.Column("page", sa.String(length=2000), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("website", sa.String(length=500), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_example_site_id"),
        sa.PrimaryKeyConstraint("id", name="pk_example"),
        sa.UniqueConstraint(
            "site_id", "origin", "origin_id", name="uq_example_site_id_origin_origin_id"
        ),
    )
    op.create_table(
        "label",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("site_id", _ROW_ID, nullable=False),
        sa.Column("comment_id", sa.String(length=32), nullable=True),
        sa.Column("example_id", _ROW_ID, nullable=True),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("unwanted", sa.Float(), nullable=False),
        sa.Column("strength", sa.Float(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("selection", sa.String(length=16), nullable=False),
        sa.Column("propensity", sa.Float(), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_label_site_id"),
        sa.ForeignKeyConstraint(["comment_id"], ["comment.id"], name="fk_label_comment_id"),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"], name="fk_label_example_id"),
        sa.PrimaryKeyConstraint("id", name="pk_label"),
    )
    op.create_index("ix_label_site_id", "label", ["site_id", "id"])
    op.create_index("ix_label_comment_id", "label", ["comment_id", "id"])
    op.create_index("ix_label_example_id", "label", ["example_id", "id"])
    op.execute(_EARLIER_DECISIONS)


def downgrade() -> None:
    for name in ("ix_label_example_id", "ix_label_comment_id", "ix_label_site_id"):
        op.drop_index(name, table_name="label")
    op.drop_table("label")
    op.drop_table("example")
