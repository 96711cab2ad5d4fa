"""Make ``python -m PACKAGE.runtime`` and ``python src/PACKAGE/runtime`` call the command."""

import os
import runpy
import sys
from pathlib import Path

if __package__:
    from .cli import main

    main()
else:  # Python runs the folder, which works on every system and in every shell
    folder = Path(__file__).resolve().parent
    source = sys.path[0] = str(folder.parents[1])
    # Programs that this one starts find the package too.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [source, os.environ.get("PYTHONPATH", "")])
    )
    runpy.run_module(f"{folder.parent.name}.{folder.name}", run_name="__main__", alter_sys=True)
