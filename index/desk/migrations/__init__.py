"""Migrations of the desk (Alembic); `index.desk.schema` runs them when a desk is opened."""
