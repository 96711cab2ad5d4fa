# shellcheck shell=sh disable=SC2154
# Read by activate: the switch to a release, and the way back. `base` and its like are place.sh's.

switch_over() { # RELEASE
    old=$(active_release)
    if ! runs "$1"; then
        record failed "$1" "$(reason)"
        die "$1 does not run here, nothing was changed: $(reason)"
    fi
    if [ "$old" = "$1" ] && ! other_settings && in_service "$1"; then
        record active "$1"
        say "$1 is active already and healthy"
        return
    fi
    if ! ready_settings || ! undisturbed go_to "$1" "${old:-none}"; then
        undisturbed settings_back && finish
        rm -f "$base"/*.new
        die "could not write to $base${given_settings:+ or $etc}, nothing was changed"
    fi
    if serve_from "$1" "$old"; then
        prune "$1"
        report "$1"
    else
        give_up "$1" "$old" "$(reason)"
    fi
}

go_to() { # RELEASE OLD
    # What a start has to write is there first: the disk may have no room for another file then.
    (: >"$base/.systemctl") 2>/dev/null && point .trial none && point .pending "$2" &&
        put_settings && point current "releases/$1"
}

go_back() { # RELEASE
    # A new .pending, also since the service may have taken the other one away: its trial, should
    # there be one, is over.
    point .pending "$1" && settings_back && point current "releases/$1"
}

undisturbed() { # COMMAND...: no trial ends meanwhile (after_start)
    exec 8<"$base"
    flock 8 2>/dev/null || :
    code=0
    "$@" || code=$?
    exec 8<&-
    return "$code"
}

serve_from() { # RELEASE FROM: succeeds when it runs and was seen healthy
    if with_systemd; then
        install_units "$1" && restart "$1" "$2"
    else
        runs "$1"
    fi || return 1
    commit "$1"
    forget_settings
}

give_up() { # RELEASE OLD WHY: back to what was, and exit 1 saying why
    tried=$1
    if [ "$2" = "$1" ] && [ -d "$etc/.settings" ]; then
        tried="$1 with the new settings"
        record failed "$1" "with the new settings: $3"
    else
        record failed "$1" "$3"
    fi
    if [ -z "$2" ]; then
        abandon
        die "$1 did not become healthy and nothing is active: $3"
    elif [ "$2" = "$tried" ]; then
        finish
        die "$1 is active but not healthy: $3"
    elif undisturbed go_back "$2" && serve_from "$2" "$1"; then
        die "$tried did not become healthy, $2 is active and healthy as before: $3"
    else
        ! settings_back || finish
        die "$tried did not become healthy: $3; $2 is active again but not healthy: $(reason)"
    fi
}

abandon() { # a first installation failed: leave nothing active
    if with_systemd; then
        ctl --quiet disable --now "$name.service" "$name.socket" 2>/dev/null || :
        rm -f "$units/$name.service" "$units/$name.socket"
        ctl daemon-reload
        ctl reset-failed "$name.service" "$name.socket" 2>/dev/null || :
    fi
    settings_back || say "could not write to $etc"
    rm -f "$base/current"
    finish
}

repair() { # what a killed run left
    # What it had started may still be writing there: then the rest goes next time.
    rm -rf "$base"/releases/.[st]* 2>/dev/null || :
    to=$(link_end "$base/.pending") from=$(active_release)
    if [ "$to" = none ]; then
        say "an earlier installation was interrupted: beginning again"
        abandon
        return
    fi
    [ -n "$to" ] || forget_settings
    is_release "$to" || return 0
    say "an earlier run was interrupted: going back to $to first"
    # Has it never stopped serving? It does not tell what settings it began with.
    served=
    [ -d "$etc/.settings" ] || { [ "$from" != "$to" ] && ! in_service "$to"; } || served=yes
    undisturbed go_back "$to" || die "could not write to $base or $etc, nothing was changed"
    if [ -n "$served" ]; then
        ! with_systemd || install_units "$to"
        commit "$to"
    else
        serve_from "$to" "$from" || say "$to is active again but not healthy: $(reason)"
    fi
}

point() { # LINK TARGET, in $base: by one rename
    { ln -sfn "$2" "$base/$1.new" && mv -T "$base/$1.new" "$base/$1"; } 2>/dev/null || return 1
    settle "$base"
}

commit() { # RELEASE: it is healthy; from here there is no going back by itself
    record active "$1"
    rm -f "$base/.pending" "$base/.trial" "$base/.reason" "$base/.systemctl" "$base/.check"
}

finish() { # nothing is to go back by itself any more
    rm -f "$base/.pending" "$base/.trial"
    forget_settings
}

record() { # active|failed RELEASE [WHY]
    if [ "$1" = active ] && [ "$(entries active | tail -n 1)" = "$2" ]; then return; fi
    printf '%s\t%s\t%s\t%s\n' "$(now)" "$1" "$2" "${3-}" 2>/dev/null >>"$base/history" ||
        say "could not write $base/history"
}

prune() { # RELEASE: keeps those that were active last; one that failed goes with the others
    keep=$(conf "$base/releases/$1" keep_releases)
    [ "${keep:-3}" -ge 2 ] || keep=2
    kept=' ' count=0
    for release in $(entries active | tac); do
        case $kept in *" $release "*) continue ;; esac
        if ! is_release "$release" || [ "$count" -ge "${keep:-3}" ]; then continue; fi
        kept="$kept$release " count=$((count + 1))
    done
    for release in $(releases); do
        case $kept in *" $release "*) continue ;; esac
        mv -T "$base/releases/$release" "$base/releases/.trash.$$"
        rm -rf "$base/releases/.trash.$$"
    done
}

report() { # RELEASE
    if with_systemd; then
        say "$1 is active and healthy at $(address)$brought"
        [ -z "$manager" ] || [ -e "/var/lib/systemd/linger/$(user_name)" ] ||
            say "it ends with your last session here, unless: sudo loginctl enable-linger $(user_name)"
    else
        say "$1 is installed and can be used; $(without_systemd): no service was started"
    fi
    previous=$(before "$1")
    [ -z "$previous" ] || say "$previous is kept; back to it: $name-admin rollback"
}
