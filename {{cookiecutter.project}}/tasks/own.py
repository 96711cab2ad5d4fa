"""Tasks of your own, which updates leave alone; `invoke --list` shows each as `own.NAME`."""

# from invoke.context import Context
#
# from .lib import project
# from .lib.task import task
#
#
# @task(help={"shout": "In capitals."})
# def greet(_context: Context, shout: bool = False) -> None:
#     """Say which program this is."""
#     name = project.load().program
#     print(name.upper() if shout else name)
