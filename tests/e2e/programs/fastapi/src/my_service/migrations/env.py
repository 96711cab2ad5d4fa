"""Migrates the database of the program; Alembic runs this file."""

from alembic import context

from my_service import database, models  # noqa: F401 (the tables are what autogenerate compares)

with database.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=database.Base.metadata,
        # Of a migration that fails nothing is kept.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
