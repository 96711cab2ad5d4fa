"""A small web service. Its names, on machines and in the environment, come from the package's."""

NAME = "-".join(word for word in __name__.split("_") if word)
"""What it is called on machines: the command, the package, the unit (``my-service``)."""

PREFIX = f"{__name__.upper()}_"
"""What the name of every setting's environment variable begins with (``MY_SERVICE_``)."""
