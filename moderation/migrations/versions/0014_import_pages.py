"""Where the pages of an uploaded file are here"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("import_run", sa.Column("pages", sa.JSON(), server_default="{}", nullable=False))


def downgrade() -> None:
    op.drop_column("import_run", "pages")
