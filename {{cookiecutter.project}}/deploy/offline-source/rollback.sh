#!/bin/sh
# Rolls the installed program back to its previous release (sh rollback.sh --help).
. "$(dirname "$(readlink -f "$0")")/start.sh"
start_engine rollback "$@"
