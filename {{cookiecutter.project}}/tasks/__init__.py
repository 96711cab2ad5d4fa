"""What `invoke --list` shows: one line per task or collection."""

from importlib import import_module
from importlib.util import find_spec

# nox imports tasks.lib and tasks.checks, also where nox is installed without invoke.
if find_spec("invoke"):
    from invoke.collection import Collection

    from . import branch, ci, deploy, deps, develop, hosts, python

    namespace = Collection.from_module(develop)
    namespace.add_collection(Collection.from_module(branch), "branch")
    namespace.add_collection(Collection.from_module(ci), "ci")
    namespace.add_collection(deploy.collection, "deploy")
    namespace.add_collection(Collection.from_module(deps), "deps")
    namespace.add_collection(hosts.collection, "hosts")
    namespace.add_collection(Collection.from_module(python), "python")
    if find_spec(f"{__name__}.release"):  # a project may have deleted it
        namespace.add_collection(import_module(f"{__name__}.release").collection, "release")
    if find_spec(f"{__name__}.own"):
        own = Collection.from_module(import_module(f"{__name__}.own"))
        if own.task_names:
            namespace.add_collection(own, "own")
