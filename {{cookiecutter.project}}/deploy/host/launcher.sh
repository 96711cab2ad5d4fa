#!/bin/sh
# Starts @name@-admin with the Python of its own release. The caller's PATH is not used.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
tree=$(readlink -f "$0") && tree=${tree%/*/*}
exec "@python@" -I -S -B -c 'import pathlib, sys
sys.path.append(sys.argv.pop(1)); sys.argv[0] = "@name@-admin"
from host.cli import main; sys.exit(main(pathlib.Path(sys.path[-1])))' "$tree" "$@"
