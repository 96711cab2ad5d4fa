#!/bin/sh
# Says whether this bundle is whole and whose it is, or names every file that is wrong.
. "$(dirname "$(readlink -f "$0")")/start.sh"
start_engine verify "$_start_bundle" "$@"
