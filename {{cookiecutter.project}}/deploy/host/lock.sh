# shellcheck shell=sh disable=SC2154
# Read by activate, admin and retire: one run at a time. A lock is held until the shell that took
# it ends, however it ends.

use_patience() { # sets lock_seconds, how long to wait for another run; to be asked early, too
    lock_seconds=${DEPLOY_LOCK_SECONDS:-60}
    case $lock_seconds in
    [0-9] | [1-9][0-9] | [1-5][0-9][0-9] | 600) ;;
    *) misuse "DEPLOY_LOCK_SECONDS is '$lock_seconds': expected a whole number from 0 to 600" ;;
    esac
}

take_lock() { # FILE. Children must not inherit it: call what follows with `9>&-` (a shell keeps
    # its own copy, closed for what it starts)
    use_patience
    if command -v flock >/dev/null 2>&1; then
        exec 9>>"$1"
        # No time at all would mean no limit to timeout.
        flock -n 9 || { [ "$lock_seconds" -gt 0 ] && timeout "$lock_seconds" flock 9; } ||
            still_locked "$1"
    else
        take_link "$1" || still_locked "$1"
    fi
    printf 'process %s of %s since %s\n' "$$" "$(by_whom)" "$(now)" 2>/dev/null >"$1" || :
}

by_whom() { # whoever runs this: as DEPLOY_BY says it, else as this machine knows them
    by=$(printable "${DEPLOY_BY-}")
    from=${SSH_CLIENT:-${SSH_CONNECTION-}}
    [ -n "$by" ] || by=$(printable "${SUDO_USER:-$(user_name)}${from:+ from ${from%% *}}")
    printf '%s' "$by"
}

printable() { printf '%s' "$1" | tr -cd '\040-\176' | cut -c 1-60; } # TEXT, of which that much

still_locked() { # FILE
    die "another run is at work, $(cat "$1"): wait for it or end it, then try again"
}

lock_is_free() { # FILE
    if command -v flock >/dev/null 2>&1; then
        flock -n "$1" true
    else
        ! process_lives "$(readlink "$1.by")"
    fi
}

# Busybox may come without flock. Then the lock is a link that names a process.
take_link() { # FILE
    until="$(($(date +%s) + lock_seconds))"
    until ln -s "$$.$(process_start $$)" "$1.by" 2>/dev/null; do
        [ "$(date +%s)" -lt "$until" ] || return 1
        holder=$(readlink "$1.by") || holder=
        if [ -z "$holder" ] || process_lives "$holder"; then
            sleep 0.2
        # Moved away first, for somebody else may be doing the same: only one gets it.
        elif mv -T "$1.by" "$1.$$" 2>/dev/null; then
            moved=$(readlink "$1.$$")
            [ "$moved" = "$holder" ] || ln -s "$moved" "$1.by" 2>/dev/null || :
            rm -f "$1.$$"
        fi
    done
}

process_start() { # PID: when it began, so that another process of the same number is not taken for it
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

process_lives() { # PID.START
    if [ -d /proc/self ]; then
        [ "$(process_start "${1%%.*}")" = "${1#*.}" ]
    else
        kill -0 "${1%%.*}" 2>/dev/null
    fi
}
