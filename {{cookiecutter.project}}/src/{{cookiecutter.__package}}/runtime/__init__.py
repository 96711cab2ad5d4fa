"""Run the program that ``[tool.program]`` in pyproject.toml names. The template's own.

The command, its unit and its environment variables are named after the package.
"""

PACKAGE = __name__.partition(".")[0]
"""The name of the program's package (``my_service``)."""

NAME = "-".join(word for word in PACKAGE.split("_") if word)
"""The name of the command, the package and the unit on machines (``my-service``)."""

PREFIX = f"{PACKAGE.upper()}_"
"""The prefix of every setting's environment variable (``MY_SERVICE_``)."""
