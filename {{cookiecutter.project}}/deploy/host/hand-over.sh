# shellcheck shell=sh
# Read by the installers. The engine that is installed and trusted checks what is new, so they hand
# over to it. Names begin with _start_, since a variable that the environment has is passed on.
_start_installed() { # NAME ARGUMENT...: becomes the installed engine, where one is and runs
    _start_engine=/opt/$1/current/bin/$1-admin _start_word='' _start_prefix=
    [ "$(id -u)" = 0 ] || _start_prefix=${HOME-}/.local
    shift
    for _start_next in "$@"; do
        [ "$_start_word" != --prefix ] || _start_prefix=$_start_next
        _start_word=$_start_next
        case $_start_word in --prefix=*) _start_prefix=${_start_word#*=} ;; esac
    done
    _start_engine=$(readlink -f "$_start_prefix$_start_engine") && [ -f "$_start_engine" ] || return 0
    ! _start_is_safe "$_start_engine" || ! "$_start_engine" --help >/dev/null 2>&1 ||
        exec "$_start_engine" "$@"
}
_start_is_safe() { # REAL_PATH: can nobody but root and us change it, or put another in its place?
    _start_at=$1
    while :; do
        # shellcheck disable=SC2046 # mode, links and owner are three words
        set -- $(ls -ldn "${_start_at:-/}")
        case $1 in ?????w???[!tT]* | ????????w[!tT]*) return 1 ;; esac
        case ${3-} in 0 | "$(id -u)") ;; *) return 1 ;; esac
        [ -n "$_start_at" ] || return 0
        _start_at=${_start_at%/*}
    done
}
