#!/bin/sh
# Uninstalls the program; configuration and data stay, unless --purge is given.
. "$(dirname "$(readlink -f "$0")")/start.sh"
start_engine uninstall "$@"
