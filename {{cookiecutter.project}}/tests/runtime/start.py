"""Run a package's command line, but serve or run one of the tests' programs.

PROGRAM is an app in apps.py, or a function in workers.py: `workers:steady`.

python -m runtime.start PACKAGE PROGRAM COMMAND...

RUNTIME_VALUES in the environment may set values of the runtime's modules, as JSON.
"""

import json
import os
import sys
from pkgutil import resolve_name

if __name__ == "__main__":
    package, name = sys.argv.pop(1), sys.argv.pop(1)
    facts = resolve_name(f"{package}.runtime.facts")
    if name.startswith("workers:"):
        described = facts.Facts(kind="worker", run=f"{__package__}.{name}", heartbeat_seconds=1)
    else:
        described = facts.Facts(kind="service", app=f"{__package__}.apps:{name}")
    facts.read = lambda: described
    for where, value in json.loads(os.environ.get("RUNTIME_VALUES", "{}")).items():
        module, _, attribute = where.rpartition(".")
        setattr(resolve_name(f"{package}.runtime.{module}"), attribute, value)
    resolve_name(f"{package}.runtime.cli").main()
