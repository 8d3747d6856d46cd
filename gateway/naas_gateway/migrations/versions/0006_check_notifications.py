"""Up to where the notifications of an embedded Healthchecks server have been told."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "check_notifications",
        sa.Column("server", sa.String(length=2000), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("server", name="pk_check_notifications"),
    )


def downgrade() -> None:
    op.drop_table("check_notifications")
