"""A small web service. Its command, unit and environment variables are named after the package."""

NAME = "-".join(word for word in __name__.split("_") if word)
"""The name of the command, the package and the unit on machines (``my-service``)."""

PREFIX = f"{__name__.upper()}_"
"""The prefix of every setting's environment variable (``MY_SERVICE_``)."""
