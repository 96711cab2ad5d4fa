#!/bin/sh
# Switches the installed project back to the release before, or to another one that is kept.
set -eu
# shellcheck source=common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

usage() {
    cat <<'END'
usage: sh rollback.sh [--prefix DIR] [RELEASE]   switch to the release before, or to RELEASE
  --prefix DIR   what is installed below DIR (default: for the whole machine where root asks,
                 else in ~/.local)
Exit codes: 0 done; 1 refused or failed, what was there before is as it was; 2 wrong usage.
END
}

main() {
    options "--prefix OPERAND" "$@"
    know_places
    [ -e "$base/current" ] || die "no release is active in $base (another place: --prefix)"
    exec sh "$base/current/host/admin" rollback ${operand:+"$operand"}
}

main "$@"
