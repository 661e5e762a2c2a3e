"""What stands for a site's model where the labels are weighed that it was trained on"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("site_model", sa.Column("held_out", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("site_model", "held_out")
