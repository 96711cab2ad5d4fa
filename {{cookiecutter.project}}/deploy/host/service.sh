# shellcheck shell=sh disable=SC2154
# Read by activate: what it asks of systemd, and what the service asks of it in its own start.
# `base`, `name`, `units` and their like are place.sh's.

health_seconds() { # RELEASE
    seconds=$(conf "$base/releases/$1" health_seconds)
    printf '%s' "${seconds:-60}"
}

runs() { # RELEASE: does its program start on this machine, and is it what it should be?
    expected="$name $(conf "$base/releases/$1" release)"
    got=$(timeout 60 "$base/releases/$1/bin/$name" version 2>&1) || :
    [ "$got" = "$expected" ] && return
    because "'$name version' says '$(printf '%s' "$got" | tail -n 1)', expected '$expected'"
    return 1
}

check() { # RELEASE SECONDS: asks it for its own release id
    "$base/releases/$1/bin/$name" check --url "$(address)" \
        --release "$(conf "$base/releases/$1" release)" --wait "$2"
}

in_service() { # RELEASE: is it what this machine runs, now?
    ! with_systemd || { ctl --quiet is-active "$name.service" && check "$1" 0; } >/dev/null 2>&1
}

because() { # WHY: the reason for a failure, told to whoever asks with `reason`
    ! printf '%s\n' "$*" >"$base/.reason.new" || mv "$base/.reason.new" "$base/.reason"
}

reason() { # in one line
    cat "$base/.reason" "$base/.systemctl" 2>/dev/null |
        tr '\t' ' ' | sed -n '/./{p;q;}' | grep . || echo "see $(journal)"
}

journal() { printf 'journalctl %s -u %s' "$manager" "$name" | tr -s ' '; }

restart() { # RELEASE FROM
    # The socket stays open and callers wait in it, unless this release wants another one.
    # One call for both: a kill cannot come between them.
    set -- "$1" "$2" "$name.service"
    if ! same_socket "$1" "$2" || ! ctl --quiet is-active "$name.socket"; then
        set -- "$1" "$2" "$name.socket" "$name.service"
    fi
    release=$1
    shift 2
    limit=$(health_seconds "$release")
    rm -f "$base/.reason"
    ctl reset-failed "$@" 2>/dev/null || :
    timeout "$((limit + 180))" systemctl ${manager:+"$manager"} restart "$@" \
        2>"$base/.systemctl" || return 1
    # Most often the service has seen it itself (after_start); an older unit may not.
    [ -L "$base/.pending" ] || limit=5
    asked "$release" "$limit" "$base/.systemctl"
}

asked() { # RELEASE SECONDS FILE: check, which says why not in FILE; also where the disk is full
    ! words=$(check "$1" "$2" 2>&1) || return 0
    printf '%s\n' "$words" 2>/dev/null >"$3" || :
    return 1
}

before_start() { # called by the service: where no run is alive, an unfinished switch is undone
    if [ -L "$base/.pending" ]; then
        exec 9>>"$base/.lock"
        if flock -n 9; then undo 9>&-; fi
    fi
    if [ -L "$base/.pending" ]; then
        seen=$(on_trial) || seen=none
        point .trial "$seen" || :
    fi
    ctl --quiet is-active "$name.socket" && return
    # shellcheck disable=SC2046 # two words on purpose
    because "$name.socket does not listen: $(journalctl -q --no-pager -o cat -n 9 \
        $(said_of "$name.socket") 2>/dev/null | sed -n 's/^.*: Failed to \(.*: .*\)$/failed to \1/p' |
        tail -n 1)"
    die "$(reason)"
}

said_of() { # UNIT: finds in the journal what its manager says of it
    if [ -n "$manager" ]; then echo "_UID=$uid USER_UNIT=$1"; else echo "_PID=1 UNIT=$1"; fi
}

undo() {
    to=$(link_end "$base/.pending") from=$(active_release)
    is_release "$to" || return 0
    settings_back || say "could not write to $etc"
    if [ "$from" != "$to" ]; then
        say "the switch to $from was interrupted: going back to $to"
        record failed "$from" "interrupted before it was seen healthy"
        point current "releases/$to"
        install_units "$to"
    elif [ -d "$etc/.settings" ]; then
        say "the switch to new settings was interrupted: going back to the old ones"
        record failed "$to" "with the new settings: interrupted before it was seen healthy"
    fi
    commit "$to"
    forget_settings
    # This very start is part of what has to be done again then: it cannot wait for it.
    same_socket "$to" "$from" || ctl --no-block restart "$name.socket" "$name.service"
}

after_start() { # called by the service: a release on trial must get healthy, or be stopped
    [ -L "$base/.pending" ] || return 0
    release=$(basename "$here_tree")
    asked "$release" "$(health_seconds "$release")" "$base/.check" &
    checking=$!
    while kill -0 "$checking" 2>/dev/null; do
        if ! kill -0 "${MAINPID:-0}" 2>/dev/null; then
            kill "$checking" 2>/dev/null || :
            because "$(last_words "$MAINPID")"
            die "$(reason)"
        fi
        sleep 0.1
    done
    if wait "$checking"; then
        passed
        return
    fi
    because "$(tail -n 1 "$base/.check")"
    die "$(reason)"
}

passed() { # the start got healthy: is what it began with still all that is there?
    exec 8<"$base"
    flock 8
    [ -L "$base/.pending" ] || return 0
    seen=$(on_trial) || seen=
    if [ "$seen" != "$(readlink "$base/.trial")" ]; then
        because "it began in the middle of a switch"
        die "$(reason)"
    fi
    commit "$release"
    # A run that is alive looks once more, and may still want the old settings back.
    exec 9>>"$base/.lock"
    if flock -n 9; then forget_settings 9>&-; fi
}

on_trial() { # what a start of this release tries now; fails while a switch is half done
    which=$(stat -c '%i %z' "$base/.pending" 2>/dev/null) || return 1
    [ "$(active_release)" = "$(basename "$here_tree")" ] && [ ! -e "$etc/.settings/half" ] &&
        printf '%s' "$which"
}

last_words() { # PID of the service's process that has ended: how, and its last line
    status=$(ctl show -p ExecMainStatus "$name.service" | sed 's/.*=//')
    timeout 5 journalctl --sync >/dev/null 2>&1 || :
    line=$(journalctl -q --no-pager -o cat -n 1 "_PID=$1" _TRANSPORT=stdout 2>/dev/null |
        sed 's/.*"message":"\([^"]*\)".*/\1/') || line=
    printf 'the program ended with status %s%s' "$status" "${line:+: $line}"
}
