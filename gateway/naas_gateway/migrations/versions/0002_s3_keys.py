"""Long-lived S3 keys; never their secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

utc = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "s3_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("access_key_id", sa.String(length=40), nullable=False),
        sa.Column("description", sa.String(length=100), nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("made_at", utc, nullable=False),
        sa.Column("expires_at", utc, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["identities.id"], name="fk_s3_keys_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_s3_keys"),
        sa.UniqueConstraint("access_key_id", name="uq_s3_keys_access_key_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_s3_keys_user_id", "s3_keys", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_s3_keys_user_id", table_name="s3_keys")
    op.drop_table("s3_keys")
