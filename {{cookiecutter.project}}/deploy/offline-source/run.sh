#!/bin/sh
# Runs the program without installing it, from wherever the bundle lies: the medium may be read-only
# or forbid to execute, since only a copy is executed. The first start makes that copy, in a folder
# named after the bundle's checksums, which appears there by one rename, whole.
# The variables are called _run_* because one that the environment has too would be passed on.
set -eu
_run_bundle=$(dirname "$(dirname "$(readlink -f "$0")")")
_run_parts=$_run_bundle/Script/release

usage() {
    cat <<END
usage: sh run.sh [--] [ARGUMENT]...              run $_run_name without installing it
       sh run.sh --exec PROGRAM [ARGUMENT]...    run another command that came with it, or python
The first start makes a copy in $_run_cache,
or, where that cannot be, in TMPDIR for this one run. Exit code: the program's own; before it runs,
1 for a bundle that is not whole or nowhere to copy it to, 2 for wrong usage.
END
}

die() {
    printf 'error: %s\n' "$*" >&2
    exit "${code:-1}"
}

main() {
    _run_name=$(sed -n 's/^name=//p' "$_run_parts/host/release.conf" 2>/dev/null) || :
    [ -n "$_run_name" ] || die "$_run_bundle is not whole: Script/release/host is missing"
    _run_cache=${XDG_CACHE_HOME:-${HOME-}/.cache}/$_run_name.bundle
    _run_program=
    case ${1-} in
    -h | --help)
        usage
        return
        ;;
    --) shift ;;
    --exec)
        _run_program=${2-}
        [ -n "$_run_program" ] || code=2 die "--exec needs a program (see run.sh --help)"
        shift 2
        ;;
    esac
    [ -s "$_run_bundle/Script/SHA256SUMS" ] || require_whole_bundle || exit 1
    _run_digest=$(sha256sum <"$_run_bundle/Script/SHA256SUMS")
    _run_tree=$_run_cache/${_run_digest%% *}
    if ! is_private "$_run_cache" || [ ! -d "$_run_tree" ]; then
        require_whole_bundle || exit 1
        keep || run_once "$@"
    fi
    find_program
    exec "$_run_program" "$@"
}

find_program() { # sets _run_program to the file
    case $_run_program in
    '') _run_program=$_run_name ;;
    python) _run_program=python3 ;;
    */* | .*) code=2 die "'$_run_program' is not the name of a program" ;;
    esac
    for _run_part in bin python/bin; do
        [ -f "$_run_tree/$_run_part/$_run_program" ] || continue
        _run_program=$_run_tree/$_run_part/$_run_program
        return
    done
    code=2 die "there is no program '$_run_program'; there are: $(programs)python"
}

programs() (
    cd "$_run_tree"
    for file in bin/* python/bin/*; do
        [ ! -f "$file" ] || case ${file##*/} in python*) ;; *) printf '%s ' "${file##*/}" ;; esac
    done
)

# --- the copy that is kept ----------------------------------------------------------------------

is_private() { # FOLDER: is it ours, and can nobody else write to it or put another in its place?
    # shellcheck disable=SC3067 # not in POSIX, but in every shell that is a system's sh
    [ -d "$1" ] && [ -O "$1" ] && is_steady "${1%/*}" || return 1
    case $(ls -ld "$1") in drwx--[-S]---*) ;; *) return 1 ;; esac
}

# shellcheck disable=SC3065,SC3067
is_steady() { [ -O "$1" ] || [ -k "$1" ]; }

keep() ( # makes the copy; says why where it cannot
    umask 077
    case $_run_cache in /?*/?*) ;; *) because "there is no HOME" ;; esac
    { mkdir -p "$_run_cache" && is_private "$_run_cache"; } 2>/dev/null ||
        because "$_run_cache is not a folder that only you can write to"
    new=$(mktemp -d "$_run_cache/new.$$.XXXXXX" 2>/dev/null) ||
        because "$_run_cache cannot be written to"
    trap 'rm -rf "$new"' EXIT
    trap 'exit 1' HUP INT TERM
    may_execute "$new" || because "no program may be executed in $_run_cache"
    said=$(copy_to "$new/tree" 2>&1) || because "$(printf '%s\n' "$said" | tail -n 1)"
    sync -f "$new" 2>/dev/null || sync
    # The rename fails where another start was quicker.
    mv -T "$new/tree" "$_run_tree" 2>/dev/null || [ -d "$_run_tree" ] ||
        because "$_run_cache cannot be written to"
    for left in "$_run_cache"/new.*; do # by starts that were killed
        owner=${left##*/new.}
        kill -0 "${owner%%.*}" 2>/dev/null || mv "$left" "$new/" 2>/dev/null || :
    done
)

because() {
    printf '%s: the copy for this run is not kept: %s\n' "$_run_name" "${1#error: }" >&2
    exit 1
}

may_execute() { # FOLDER
    { echo '#!/bin/sh' >"$1/try" && chmod 700 "$1/try" && "$1/try" && rm "$1/try"; } 2>/dev/null
}

require_whole_bundle() (
    # shellcheck source=common.sh
    . "$_run_bundle/Script/common.sh"
    require_whole
)

copy_to() ( # TREE
    # shellcheck source=common.sh
    . "$_run_bundle/Script/common.sh"
    read_host
    make_tree "$_run_bundle" "$1"
    verify "$1"
)

# --- the copy for one run -----------------------------------------------------------------------

run_once() { # ARGUMENT...
    for _run_left in "${TMPDIR:-/tmp}/$_run_name".[0-9]*.*; do # by runs of ours that were killed
        _run_owner=${_run_left#"${TMPDIR:-/tmp}/$_run_name."}
        # shellcheck disable=SC3067
        if [ -d "$_run_left" ] && [ ! -L "$_run_left" ] && [ -O "$_run_left" ] &&
            ! kill -0 "${_run_owner%%.*}" 2>/dev/null; then
            rm -rf "$_run_left"
        fi
    done
    _run_folder=$(mktemp -d "${TMPDIR:-/tmp}/$_run_name.$$.XXXXXX" 2>/dev/null) ||
        die "there is nowhere to copy it to: set TMPDIR to a folder of yours"
    trap 'rm -rf "$_run_folder"' EXIT
    trap 'exit 1' HUP INT TERM
    may_execute "$_run_folder" ||
        die "no program may be executed in ${TMPDIR:-/tmp}: set TMPDIR to another folder"
    _run_tree=$_run_folder/tree
    copy_to "$_run_tree" || exit 1
    find_program
    _run_code=0
    if [ -t 0 ]; then
        # A terminal sends its signals to the program too.
        trap : INT QUIT
        "$_run_program" "$@" || _run_code=$?
    else
        pass_signals "$@"
    fi
    exit "$_run_code"
}

pass_signals() { # ARGUMENT...
    exec 3<&0
    "$_run_program" "$@" <&3 3<&- &
    for _run_signal in HUP INT QUIT TERM USR1 USR2; do
        # shellcheck disable=SC2064 # the number of this very process
        trap "kill -s $_run_signal $! 2>/dev/null" "$_run_signal"
    done
    while :; do # a signal interrupts the waiting
        _run_code=0
        wait $! || _run_code=$?
        kill -0 $! 2>/dev/null || return 0
    done
}

main "$@"
exit
