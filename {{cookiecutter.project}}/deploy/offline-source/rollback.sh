#!/bin/sh
# Switches what is installed back to the release before (sh rollback.sh --help).
. "$(dirname "$(readlink -f "$0")")/start.sh"
start_engine rollback "$@"
