"""Run a package's command line, but run one of the functions in workers.py.

python -m runtime.start PACKAGE FUNCTION COMMAND...
"""

import sys
from pkgutil import resolve_name

if __name__ == "__main__":
    package, name = sys.argv.pop(1), sys.argv.pop(1)
    facts = resolve_name(f"{package}.runtime.facts")
    run = f"{__package__}.workers:{name}"
    described = facts.Facts(kind=facts.KIND, run=run, heartbeat_seconds=1)
    facts.read = lambda: described
    resolve_name(f"{package}.runtime.cli").main()
