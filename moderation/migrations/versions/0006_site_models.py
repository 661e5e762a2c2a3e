"""Models of sites, what each site uses, trainings, and what shadows scored"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UNFINISHED = sa.text("state IN ('queued', 'running')")


def upgrade() -> None:
    op.create_table(
        "site_model",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("site_id", _ROW_ID, nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("base", sa.String(length=100), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=64), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("last_label_id", sa.BigInteger(), nullable=False),
        sa.Column("recommended", sa.Boolean(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("promoted_at", sa.BigInteger(), nullable=True),
        sa.Column("refused_at", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.String(length=300), server_default="", nullable=False),
        sa.Column("artifact", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_site_model_site_id"),
        sa.PrimaryKeyConstraint("id", name="pk_site_model"),
        sa.UniqueConstraint("site_id", "version", name="uq_site_model_site_id_version"),
    )
    op.create_table(
        "site_choice",
        sa.Column("site_id", _ROW_ID, nullable=False),
        sa.Column("current_id", _ROW_ID, nullable=True),
        sa.Column("shadow_id", _ROW_ID, nullable=True),
        sa.Column("rescored_to", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_site_choice_site_id"),
        sa.ForeignKeyConstraint(
            ["current_id"], ["site_model.id"], name="fk_site_choice_current_id"
        ),
        sa.ForeignKeyConstraint(["shadow_id"], ["site_model.id"], name="fk_site_choice_shadow_id"),
        sa.PrimaryKeyConstraint("site_id", name="pk_site_choice"),
    )
    op.create_table(
        "model_change",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("site_id", _ROW_ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("deed", sa.String(length=16), nullable=False),
        sa.Column("from_id", _ROW_ID, nullable=True),
        sa.Column("to_id", _ROW_ID, nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_model_change_site_id"),
        sa.ForeignKeyConstraint(["from_id"], ["site_model.id"], name="fk_model_change_from_id"),
        sa.ForeignKeyConstraint(["to_id"], ["site_model.id"], name="fk_model_change_to_id"),
        sa.PrimaryKeyConstraint("id", name="pk_model_change"),
    )
    op.create_index("ix_model_change_site_id", "model_change", ["site_id", "id"])
    op.create_table(
        "training_run",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("site_id", _ROW_ID, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("beat_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("step", sa.String(length=64), server_default="", nullable=False),
        sa.Column("done", sa.Float(), server_default="0", nullable=False),
        sa.Column("outcome", sa.String(length=500), server_default="", nullable=False),
        sa.Column("last_label_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_training_run_site_id"),
        sa.ForeignKeyConstraint(["model_id"], ["site_model.id"], name="fk_training_run_model_id"),
        sa.PrimaryKeyConstraint("id", name="pk_training_run"),
    )
    op.create_index("ix_training_run_site_id", "training_run", ["site_id", "id"])
    op.create_index(
        "ix_training_run_unfinished",
        "training_run",
        ["site_id"],
        unique=True,
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_table(
        "shadow_score",
        sa.Column("model_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("comment_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("live_model", sa.String(length=100), nullable=True),
        sa.Column("live_score", sa.Float(), nullable=True),
        sa.Column("live_status", sa.String(length=8), nullable=False),
        sa.Column("live_reason", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["site_model.id"], name="fk_shadow_score_model_id"),
        sa.ForeignKeyConstraint(["comment_id"], ["comment.id"], name="fk_shadow_score_comment_id"),
        sa.PrimaryKeyConstraint("model_id", "comment_id", name="pk_shadow_score"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_shadow_score_comment_id", "shadow_score", ["comment_id"])


def downgrade() -> None:
    op.execute("DELETE FROM event WHERE kind = 'rescore' AND from_status = to_status")
    op.execute("UPDATE event SET kind = 'decision' WHERE kind = 'rescore'")
    for name in ("shadow_score", "training_run", "model_change", "site_choice", "site_model"):
        op.drop_table(name)
