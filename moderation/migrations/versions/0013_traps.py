"""What was odd about the way a comment was sent"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "comment", sa.Column("trap", sa.String(length=16), server_default="", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("comment", "trap")
