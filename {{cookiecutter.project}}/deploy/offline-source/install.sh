#!/bin/sh
# Installs the release of this bundle, or upgrades to it (sh install.sh --help).
. "$(dirname "$(readlink -f "$0")")/start.sh"
start_engine activate "$_start_bundle" "$@"
