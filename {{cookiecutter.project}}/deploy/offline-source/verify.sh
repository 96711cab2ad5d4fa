#!/bin/sh
# Checks this bundle's files and signature, and names every file that is wrong.
. "$(dirname "$(readlink -f "$0")")/start.sh"
start_engine verify "$_start_bundle" "$@"
