#!/bin/sh
# Runs the program without installing it, from wherever the bundle lies (sh run.sh --help).
. "$(dirname "$(readlink -f "$0")")/start.sh"
# If an earlier start has kept a copy (run.py), use its Python as it is.
_start_digest=$({ sha256sum <"$_start_bundle/Script/SHA256SUMS"; } 2>/dev/null) || _start_digest=none
_start_kept=${XDG_CACHE_HOME:-${HOME-}/.cache}/@name@.bundle/${_start_digest%% *}/python/bin/python3
if [ -f "$_start_kept" ] && _start_is_safe "$(readlink -f "$_start_kept")"; then
    exec sh "$_start_kept" -I -S -B "$_start_bundle/Script/run.py" '' "$@"
fi
start_own run.py "$@"
