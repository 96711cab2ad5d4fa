#!/bin/sh
# Takes the installed project off this machine; configuration and data stay unless told.
set -eu
# shellcheck source=common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

usage() {
    cat <<'END'
usage: sh uninstall.sh [--prefix DIR] [--purge]   remove the service and all releases
  --prefix DIR   what is installed below DIR (default: for the whole machine where root asks,
                 else in ~/.local)
  --purge        also configuration, data and the system user
Exit codes: 0 done; 1 refused or failed; 2 wrong usage.
END
}

main() {
    options "--prefix --purge" "$@"
    know_places
    if [ -f "$base/current/host/retire" ]; then
        exec sh "$base/current/host/retire" ${purge:+--purge}
    fi
    # Nothing is active; a first installation that failed has left something, or --purge comes later.
    [ -d "$base" ] || [ -n "$purge" ] || die "nothing is installed in $base (another place: --prefix)"
    exec sh "$parts/host/retire" --prefix "${prefix:-/}" ${purge:+--purge}
}

main "$@"
