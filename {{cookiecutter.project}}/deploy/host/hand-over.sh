# shellcheck shell=sh
# The installers source this file. They hand over to the installed engine, which is trusted and
# checks the new release. Names begin with _start_, because a variable that exists in the
# environment would be exported with its new value.
_start_installed() { # NAME ARGUMENT...: execs the installed engine, if there is one and it runs
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
_start_is_safe() { # REAL_PATH: succeeds if only root and this user can change or replace the file
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
