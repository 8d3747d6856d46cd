"""The GPUs that servers are given, with who has them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

utc = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "gpu_devices",
        sa.Column("node", sa.String(length=253), nullable=False),
        sa.Column("device", sa.String(length=120), nullable=False),
        sa.Column("flavour", sa.String(length=80), nullable=False),
        sa.Column("present", sa.Boolean(), nullable=False),
        sa.Column("seen_at", utc, nullable=False),
        sa.Column("username", sa.String(length=63), nullable=True),
        sa.Column("server", sa.String(length=63), nullable=True),
        sa.Column("since", utc, nullable=True),
        sa.Column("renewed_at", utc, nullable=True),
        sa.PrimaryKeyConstraint("node", "device", name="pk_gpu_devices"),
    )


def downgrade() -> None:
    op.drop_table("gpu_devices")
