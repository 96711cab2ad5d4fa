"""Run a package's command line, but serve one of the tests' programs.

python -m runtime.start PACKAGE PROGRAM COMMAND...
"""

import sys
from pkgutil import resolve_name

if __name__ == "__main__":
    package, name = sys.argv.pop(1), sys.argv.pop(1)
    facts = resolve_name(f"{package}.runtime.facts")
    described = facts.Facts(kind="service", app=f"{__package__}.apps:{name}")
    facts.read = lambda: described
    resolve_name(f"{package}.runtime.cli").main()
