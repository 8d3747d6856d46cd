"""People's logins at registries of images; the secrets are encrypted."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

utc = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "registry_logins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=260), nullable=False),
        sa.Column("username", sa.String(length=255), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("set_at", utc, nullable=False),
        sa.Column("checked_at", utc, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["identities.id"], name="fk_registry_logins_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_registry_logins"),
        sa.UniqueConstraint("user_id", "host", name="uq_registry_logins_user_id"),
    )


def downgrade() -> None:
    op.drop_table("registry_logins")
