"""Many hosts at once: what Ansible is given, and what it reports."""

from importlib import import_module
from importlib.util import find_spec

from invoke.collection import Collection

TASKS = ("compare", "setup")

collection = Collection()
for name in TASKS:
    if find_spec(f"{__name__}.{name}"):  # a project may have deleted those that it does not need
        collection.add_task(getattr(import_module(f".{name}", __name__), name))
