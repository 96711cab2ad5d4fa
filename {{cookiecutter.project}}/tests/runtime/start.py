"""Run a package's command line, but serve one of the apps in apps.py.

python -m runtime.start PACKAGE APP COMMAND...

RUNTIME_VALUES in the environment may set values of the runtime's modules, as JSON.
"""

import json
import os
import sys
from pkgutil import resolve_name

if __name__ == "__main__":
    package, name = sys.argv.pop(1), sys.argv.pop(1)
    facts = resolve_name(f"{package}.runtime.facts")
    described = facts.Facts(kind=facts.KIND, app=f"{__package__}.apps:{name}")
    facts.read = lambda: described
    for where, value in json.loads(os.environ.get("RUNTIME_VALUES", "{}")).items():
        module, _, attribute = where.rpartition(".")
        setattr(resolve_name(f"{package}.runtime.{module}"), attribute, value)
    resolve_name(f"{package}.runtime.cli").main()
