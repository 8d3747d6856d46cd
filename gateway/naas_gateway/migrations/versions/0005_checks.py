"""Registered projects of Healthchecks, what is known of their keys, and who watches them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

utc = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "check_projects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(length=270), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("group", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("api_key", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("key_digest", sa.String(length=64), nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("members_write", sa.Boolean(), nullable=False),
        sa.Column("provisioned", sa.Boolean(), nullable=False),
        sa.Column("registered_at", utc, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["identities.id"], name="fk_check_projects_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_check_projects"),
        sa.UniqueConstraint("scope", "key_digest", name="uq_check_projects_scope"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_check_projects_key_digest", "check_projects", ["key_digest"], unique=False)
    op.create_table(
        "check_keys",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("counted_at", utc, nullable=False),
        sa.Column("held_until", utc, nullable=True),
        sa.Column("held_for", sa.Float(), nullable=False),
        sa.Column("revoked_at", utc, nullable=True),
        sa.Column("changed_at", utc, nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_check_keys"),
    )
    op.create_table(
        "check_watchers",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("notify", sa.Boolean(), nullable=False),
        sa.Column("looked_at", utc, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["check_projects.id"], name="fk_check_watchers_project_id"),
        sa.ForeignKeyConstraint(["user_id"], ["identities.id"], name="fk_check_watchers_user_id"),
        sa.PrimaryKeyConstraint("project_id", "user_id", name="pk_check_watchers"),
    )
    op.create_table(
        "check_states",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("states", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_check_states"),
    )


def downgrade() -> None:
    for table in ("check_states", "check_watchers", "check_keys", "check_projects"):
        op.drop_table(table)
