# shellcheck shell=sh
# The scripts beside this file source it. It hands over to the installed engine, or finds the Python
# of this bundle and runs the bundle's own scripts.
set -eu
_start_bundle=$(dirname "$(dirname "$(readlink -f "$0")")")
# shellcheck source=../host/hand-over.sh
. "$_start_bundle/Script/release/host/hand-over.sh"
start_engine() { # COMMAND ARGUMENT...
    _start_installed @name@ "$@"
    start_own engine.py "$@"
}
start_own() { # SCRIPT ARGUMENT...: execs a script of this bundle, on its Python
    _start_is_whole || _start_die "$_start_bundle is not whole, nothing was done: its files that are" \
        "wrong are named above"
    _start_script=$_start_bundle/Script/$1 _start_copy=''
    shift
    for _start_python in "$_start_bundle"/Python*; do break; done
    _start_runs || _start_copied ||
        _start_die "the Python in $_start_bundle does not run here: it was built for @machine@, and" \
            "this is $(uname -m), $(
            getconf GNU_LIBC_VERSION 2>/dev/null || echo no glibc
        ); if no folder here may hold programs, set TMPDIR to one that may"
    exec sh "$_start_python/bin/python3" -I -S -B "$_start_script" "$_start_copy" "$@"
}
_start_is_whole() { # checks the files that are about to run; the script checks the others
    _start_sums=$_start_bundle/Script/SHA256SUMS
    _start_said=$(cd "$_start_bundle" && grep -E '^[0-9a-f]{64}  (Python|Script)' "$_start_sums" |
        LC_ALL=C sha256sum -c) 2>/dev/null && [ -n "$_start_said" ] && return
    [ -s "$_start_sums" ] || _start_said="Script/SHA256SUMS: FAILED open"
    printf '%s\n' "$_start_said" |
        sed -n 's/\(.*\): FAILED open.*/missing: \1/p; s/\(.*\): FAILED$/changed: \1/p' >&2
    return 1
}
_start_runs() { sh "$_start_python/bin/python3" -I -S -B -c '' 2>/dev/null; }
_start_copied() { # for a medium that is noexec or has lost the modes; the script removes the copy
    for _start_place in "${TMPDIR:-/tmp}" /var/tmp /dev/shm /run "${HOME-}"; do
        _start_copy=$(mktemp -d "$_start_place/@name@.$$.XXXXXX" 2>/dev/null) || continue
        _start_python=$_start_copy/python
        cp -R "$_start_bundle"/Python* "$_start_python" 2>/dev/null &&
            chmod -R u+rwx "$_start_python" && _start_runs && return
        rm -rf "$_start_copy"
    done
    return 1
}
_start_die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
