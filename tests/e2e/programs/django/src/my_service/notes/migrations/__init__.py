"""The steps of the database, from the first to the last."""
