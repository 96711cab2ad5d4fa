#!/bin/sh
# shellcheck disable=SC2145,SC2170 # a number and arguments are put in when this is rendered
# Starts @program@ with the Python that came with it, wherever this lies and whatever glibc is here.
# The variables are called _start_* because one that the environment has too would be passed on.
_start_self=$0
case $_start_self in */*) ;; *) _start_self=./$_start_self ;; esac
[ ! -L "$_start_self" ] || _start_self=$(readlink -f "$_start_self")
_start_home=$(cd -P "${_start_self%/*}/@home@" && pwd) || exit 127
# What the machine knows of certificates, time zones and terminals, else what is here.
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
# The machine's glibc where it is new enough. Where it is older, is none, or there is no /proc, by
# which libraries beside a program are found: the glibc in here.
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
