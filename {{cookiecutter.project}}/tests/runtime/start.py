"""Run a package's command line, but serve or run one of the tests' programs.

PROGRAM is an app in apps.py, or a function in workers.py: `workers:steady`.

python -m runtime.start PACKAGE PROGRAM COMMAND...
"""

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
    resolve_name(f"{package}.runtime.cli").main()
