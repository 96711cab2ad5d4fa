"""Imports modules by name, and prints whether each import works; loading.py reads the output.

Runs in the built program, so it only imports modules that every Python program has.
"""

import importlib
import sys

for module in sys.argv[1:]:
    print(f"import {module}", flush=True)  # first, since an import can end the process
    try:
        importlib.import_module(module)
    except BaseException as error:  # SystemExit too
        cause: BaseException = error
        while cause.__cause__:
            cause = cause.__cause__
        missing = cause.name if isinstance(cause, ModuleNotFoundError) else ""
        said = " ".join(str(cause).split())
        print(f"failed {type(cause).__name__}|{missing or ''}|{said}", flush=True)
print("imported all", flush=True)
