#!/bin/sh
# All of @name@ in one file: a gzipped tar of the program follows the last line of this script. The
# first start unpacks it into a cache, and every start runs it from there.
#
# The cache is named after its content (a SHA-256), so no two builds share one. It belongs to the
# user who runs it, and nobody else can write to it; every start checks that. It is complete before
# a rename gives it its name. If a folder is not suitable, the next one is tried. Caches of other
# builds stay, because they may be running: remove them when they are not.
#
# Names begin with _one_, because a variable that exists in the environment would be exported with
# its new value.
_one_candidate() { # NUMBER, best first: sets _one_cache; empty if its variable is not set
    case $1 in
        1) _one_cache=${@prefix@CACHE_DIR:+$@prefix@CACHE_DIR/@name@.program} ;;
        2) _one_cache=${XDG_CACHE_HOME:+$XDG_CACHE_HOME/@name@.program} ;;
        3) _one_cache=${HOME:+$HOME/.cache/@name@.program} ;;
        4) _one_cache=/var/cache/@name@.program ;;
        5) _one_cache=/run/user/${_one_user:=$(id -u)}/@name@.program ;;
        6) _one_cache=/var/tmp/@name@.program-$_one_user ;;
        7) _one_cache=/tmp/@name@.program-$_one_user ;;
        8) _one_cache=/dev/shm/@name@.program-$_one_user ;;
    esac
}
# -O and -k are not in POSIX, but every system's sh has them; stat would cost one more fork.
# shellcheck disable=SC3065,SC3067
_one_steady() { [ -O "$1" ] || [ -k "$1" ]; } # nobody else can rename what we have in this folder
# shellcheck disable=SC3067
_one_private() { # FOLDER: nobody else can write to it or replace it
    [ -d "$1" ] && [ -O "$1" ] && _one_steady "${1%/*}" || return 1
    # a folder, not a link; the rights that an access list grants show here, too
    case $(ls -ld -- "$1") in drwx--[-S]---*) ;; *) return 1 ;; esac
}
_one_payload() { tail -c +@skip@ "$_one_self"; }
_one_whole() { # a damaged file must not be unpacked; if there is no sha256sum, gzip checks
    if command -v sha256sum; then
        _one_found=$(_one_payload | sha256sum)
    else
        _one_payload | gzip -t && _one_found=@digest@
    fi >/dev/null 2>&1
    [ "${_one_found%% *}" = @digest@ ]
}
_one_unpack() ( # CACHE: unpacks the program into it, or prints in a few words why it cannot
    cache=$1 base=${1%/*} made=$1/@digest@
    fail() { echo "$1" && exit 1; }
    umask 077
    case $cache in /*) ;; *) fail "not an absolute path" ;; esac
    # Create only folders that the user names; the system's folders are not ours to create.
    [ -d "$base" ] || { [ "$_one_number" -le 3 ] && mkdir "$base"; } || [ -d "$base" ] ||
        fail "no such folder"
    _one_steady "$base" || fail "in a folder of someone else"
    mkdir "$cache" || [ -d "$cache" ] || fail "can't be made"
    _one_private "$cache" || fail "not a folder that only we can write to"
    [ -x "$made/@name@" ] && exit
    # $$ is the process id of this start: it tells the cleaning below who is unpacking.
    new=$(mktemp -d "$cache/new.$$.XXXXXX") || fail "can't be written to"
    trap 'rm -rf "$new"' EXIT
    trap 'exit 1' HUP INT TERM
    { echo '#!/bin/sh' >"$new/try" && chmod 700 "$new/try"; } || fail "full"
    "$new/try" || fail "mounted noexec"
    { mkdir "$new/@digest@" && _one_payload | gzip -dc | tar -xof - -C "$new/@digest@"; } || fail "full"
    [ -x "$new/@digest@/@name@" ] || fail "no program came out of it"
    # Services that clean temporary folders skip files with the sticky bit.
    chmod -R +t "$new/@digest@"
    # After a power cut, a folder with the final name must have its content.
    sync -f "$new" || :
    # A rename onto a folder that isn't empty fails: then another start was quicker. If that folder
    # has lost the program, move it out of the way first.
    [ ! -d "$made" ] || [ -x "$made/@name@" ] || mv -f "$made" "$new/broken"
    mv -f "$new/@digest@" "$cache/" || [ -x "$made/@name@" ] || fail "changed meanwhile"
    # Remove what killed starts have left. Move it away first: if a start is unpacking there after
    # all, its final rename fails, and the cache never holds part of the program.
    for left in "$cache"/new.*; do
        owner=${left##*/new.}
        kill -0 "${owner%%.*}" || mv -f "$left" "$new/"
    done
    exit 0
) </dev/null 2>/dev/null
_one_start() {
    unset @prefix@CACHE_DIR # this is the launcher's, not a setting of the program
    exec "$_one_cache/@digest@/@name@" "$@"
}
_one_die() {
    echo "@name@: $1" >&2
    exit 1
}
# Most starts end here. A folder that the user has set is preferred to a cache in another one.
for _one_number in 1 2 3 4 5 6 7 8; do
    _one_candidate "$_one_number"
    [ -n "$_one_cache" ] || continue
    [ ! -x "$_one_cache/@digest@/@name@" ] || ! _one_private "$_one_cache" || _one_start "$@"
    [ "$_one_number" != 1 ] || break
done
for _one_tool in chmod gzip id ls mkdir mktemp mv rm tail tar; do
    command -v "$_one_tool" >/dev/null || _one_die "the first start needs $_one_tool, which is not here"
done
_one_self=$0
case $_one_self in */*) ;; *) [ -f "$_one_self" ] || _one_self=$(command -v -- "$_one_self") ;; esac
_one_whole || _one_die "this file is damaged: its content is not what was built. Get it again."
_one_tried=
for _one_number in 1 2 3 4 5 6 7 8; do
    _one_candidate "$_one_number"
    [ -n "$_one_cache" ] || continue
    _one_why=$(_one_unpack "$_one_cache") && _one_start "$@"
    _one_tried="$_one_tried${_one_tried:+, }$_one_cache ($_one_why)"
done
_one_die "nowhere to unpack: set @prefix@CACHE_DIR to a folder of yours that may hold programs. Tried: $_one_tried"
