"""Know the release of the command that ``[project.scripts]`` names. The template's own."""

PACKAGE = __name__.partition(".")[0]
"""The name of the program's package (``my_command``)."""

NAME = "-".join(word for word in PACKAGE.split("_") if word)
"""The name of the command, and of the package on machines (``my-command``)."""
