"""The conventions for branches: one table, and all that is derived from it."""
