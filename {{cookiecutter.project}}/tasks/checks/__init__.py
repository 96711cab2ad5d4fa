"""What nox asks besides running tools."""
