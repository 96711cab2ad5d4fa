#!/bin/sh
# Takes what is installed off this machine; configuration and data stay (--purge: not).
. "$(dirname "$(readlink -f "$0")")/start.sh"
start_engine uninstall "$@"
