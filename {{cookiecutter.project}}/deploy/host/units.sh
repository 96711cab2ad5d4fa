# shellcheck shell=sh disable=SC2154
# Read by activate: a release's units, as they are to be on this machine.

install_units() { # RELEASE
    reload='' known=yes
    mkdir -p "$units"
    for kind in service socket; do
        unit=$units/$name.$kind
        text=$(unit_text "$1" "$kind") || return 1
        [ -f "$unit" ] || known=
        [ "$text" != "$(cat "$unit" 2>/dev/null)" ] || continue
        printf '%s\n' "$text" >"$unit.new" && chmod 0644 "$unit.new" && mv "$unit.new" "$unit" ||
            return 1
        reload=yes
    done
    # A run killed right here has replaced the files and not told systemd.
    if [ -n "$reload" ] || ctl show -p NeedDaemonReload "$name.service" "$name.socket" |
        grep -q yes; then
        ctl daemon-reload
    fi
    # Once: where an operator has disabled the service it stays so.
    [ -n "$known" ] && [ -n "$(entries active)" ] ||
        ctl --quiet enable "$name.service" "$name.socket" 2>"$base/.systemctl"
}

same_socket() { # RELEASE RELEASE
    same "$base/releases/$1/host/$name.socket" "$base/releases/$2/host/$name.socket"
}

unit_text() { # RELEASE service|socket
    if [ "$2" = socket ] || [ -z "$prefix" ]; then
        cat "$base/releases/$1/host/$name.$2"
    else
        in_place "$base/releases/$1/host/$name.${manager:+user.}$2"
    fi
}

in_place() { # FILE, whose paths are those of an installation without a prefix
    # `%` begins a specifier in units; `&` and `|` mean something to sed.
    written=$(printf '%s' "$prefix" | sed 's/%/%%/g; s/[&|]/\\&/g')
    sed "
        /^Exec/s|=\(+\{0,1\}\)\(/opt/[^ ]*\)|=\1\"$written\2\"|
        s|^EnvironmentFile=-|&$written|
        s|^StateDirectory=\(.*\)|Environment=\"STATE_DIRECTORY=$written/var/lib/\1\"|
        s|^StateDirectoryMode=.*|ReadWritePaths=\"$written/var/lib/$name\"|
        $(not_hidden)" "$1"
}

not_hidden() { # a folder that is hidden from services would hide the service itself
    case $prefix/ in
    /home/* | /root/* | /run/user/*) echo 's/^ProtectHome=.*/ProtectHome=no/' ;;
    /tmp/* | /var/tmp/*) echo 's/^PrivateTmp=.*/PrivateTmp=no/' ;;
    esac
}
