#!/bin/sh
# shellcheck disable=SC2145,SC2170 # rendering fills in a number and arguments
# Starts @program@ with its own Python, from any folder and with any glibc.
# Names begin with _start_, because a variable that exists in the environment would be exported with
# its new value.
_start_self=$0
case $_start_self in */*) ;; *) _start_self=./$_start_self ;; esac
[ ! -L "$_start_self" ] || _start_self=$(readlink -f "$_start_self")
_start_home=$(cd -P "${_start_self%/*}/@home@" && pwd) || exit 127
# Use the machine's certificates, time zones and terminal types; if missing, those of the bundle.
if [ -z "${SSL_CERT_FILE-}${SSL_CERT_DIR-}" ]; then
    for SSL_CERT_FILE in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
        /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem "$_start_home/share/certificates.pem"; do
        [ ! -r "$SSL_CERT_FILE" ] || break
    done
    export SSL_CERT_FILE
fi
[ -n "${PYTHONTZPATH-}" ] || [ -d /usr/share/zoneinfo/Etc ] ||
    export PYTHONTZPATH="$_start_home/share/zoneinfo"
[ -n "${TERMINFO_DIRS-}" ] || [ -d /usr/share/terminfo/x ] || [ -d /lib/terminfo/x ] ||
    export TERMINFO_DIRS="$_start_home/share/terminfo"
# Use the machine's glibc if it is new enough. Use the bundled one if that is not so, or if there is
# no /proc, which is needed to find the libraries beside a program.
_start_loader=$_start_home/lib/glibc/@loader@
_start_glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || _start_glibc=
_start_glibc=${_start_glibc#glibc 2.}
case ${_start_glibc%%.*} in '' | *[!0-9]*) _start_glibc=0 ;; esac
set -- "$_start_home/bin/@python@" @arguments@"$@"
if { [ "${_start_glibc%%.*}" -lt @glibc@ ] || [ ! -e /proc/self/exe ]; } && [ -e "$_start_loader" ]; then
    set -- "$_start_loader" --argv0 "$_start_home/bin/python3" \
        --library-path "$_start_home/lib/glibc:$_start_home/lib" "$@"
fi
exec "$@"
