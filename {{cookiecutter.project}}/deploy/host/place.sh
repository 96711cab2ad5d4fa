# shellcheck shell=sh disable=SC2034,SC2154
# Read by activate, admin and retire: where the project lies on this machine, and who runs it.
# The whole machine's installation lies in /opt, /etc and /var/lib; any other one below a prefix.

use_place() { # TREE [PREFIX]: sets prefix, base, etc, data, commands; and who runs the service
    use_name "$1"
    uid=$(id -u)
    if [ -n "${2-}" ]; then
        prefix=$(whole_path "$2")
    elif ! installed_below "$1" && ! installed_below "$here_tree"; then
        prefix=
        [ "$uid" -eq 0 ] || prefix=$(whole_path "$(home)/.local")
    fi
    base=$prefix/opt/$name etc=$prefix/etc/$name data=$prefix/var/lib/$name
    commands=${prefix:-/usr/local}/bin
    use_manager
}

installed_below() { # TREE: sets the prefix that this installed tree tells
    case $1 in
    */package | */incoming) above=${1%/*} ;;
    */releases/*) above=${1%/*} above=${above%/releases} ;;
    *) return 1 ;;
    esac
    case $above in */opt/"$name") ;; *) return 1 ;; esac
    # /opt may be a link to somewhere else.
    [ "$above" = "/opt/$name" ] || [ "$above" != "$(readlink -f "/opt/$name")" ] ||
        above=/opt/$name
    prefix=${above%"/opt/$name"}
}

whole_path() { # PREFIX: without links and dots; the root folder is no prefix
    # What a unit file cannot hold in every place where a path stands there.
    case $1 in
    *[\"\'\\*?[]* | *[[:cntrl:]]*)
        misuse "the prefix '$1' has a quote, backslash, wildcard or control character in it"
        ;;
    esac
    case $1 in /*) near=$1 ;; *) near=$PWD/$1 ;; esac
    rest=
    while [ ! -d "$near" ]; do
        [ ! -e "$near" ] || misuse "the prefix '$1' is not a folder"
        rest=/$(basename "$near")$rest near=$(dirname "$near")
    done
    case $rest/ in */./* | */../*) misuse "there is no folder '$1'" ;; esac
    real=$(cd -P "$near" 2>/dev/null && pwd -P) ||
        die "may not enter $near: run it with sudo, or give --prefix"
    near=${real%/}$rest
    # A release tells its prefix by where it lies.
    [ -z "$near" ] || for folder in "$near/opt" "$near/opt/$name"; do
        [ ! -L "$folder" ] || misuse "$folder is a link: give another --prefix"
    done
    printf '%s' "$near"
}

home() {
    [ -n "${HOME-}" ] || die "HOME is not set: a user's installation needs it"
    printf '%s' "$HOME"
}

use_manager() { # sets manager, an option of systemctl, and where its units lie
    manager='' units=/etc/systemd/system
    # What is somebody else's here is taken for the whole machine's.
    if [ "$uid" -ne 0 ] && { [ ! -d "$base" ] || is_own "$base"; }; then
        manager=--user units=${XDG_CONFIG_HOME:-$(home)/.config}/systemd/user
        is_own "${XDG_RUNTIME_DIR:-}" || XDG_RUNTIME_DIR=/run/user/$uid
        export XDG_RUNTIME_DIR
    fi
}

with_systemd() { # does the manager run that is to run the service?
    if [ -n "$manager" ]; then
        [ -e "$XDG_RUNTIME_DIR/systemd/private" ]
    else
        [ -d /run/systemd/system ]
    fi
}

without_systemd() { # why there is no service
    if [ -n "$manager" ]; then
        printf 'there is no systemd of the user %s here' "$(user_name)"
    else
        printf 'there is no systemd here'
    fi
}

user_name() { id -un 2>/dev/null || id -u; }

ctl() { systemctl ${manager:+"$manager"} "$@"; }

# shellcheck disable=SC3067 # not in POSIX, but in every shell that is a system's sh
is_own() { [ -O "$1" ]; }

require_own() { # refuses where somebody else has installed it
    if [ ! -d "$base" ] || is_own "$base"; then return; fi
    owner=$(stat -c %U "$base")
    [ "$owner" != root ] || die "changing $base needs root: run it with sudo"
    die "$base belongs to $owner: run it as $owner"
}

require_one_service() { # the manager knows units by their names: refuses a second prefix
    ! unit_is_of_another ||
        die "$name is installed in $named/opt/$name already, and there is one service of that" \
            "name: remove it first ($named/opt/$name/current/host/retire)"
}

unit_is_of_another() { # sets named, the prefix that the installed unit names
    line=$(sed -n 's/%%/%/g; s/^ExecStart="\{0,1\}//p' "$units/$name.service" 2>/dev/null) || :
    named=${line%%"/opt/$name/current/bin/"*}
    [ "$named" != "$line" ] && [ "$named" != "$prefix" ] && [ -e "$named/opt/$name/current" ]
}

require_way_in() { # refuses a prefix that the service's own user could not get to
    if [ "$uid" -ne 0 ] || [ -z "$prefix" ] || ! with_systemd; then return; fi
    folder=$base
    while [ "$folder" != / ]; do
        case $(stat -c %A "$folder" 2>/dev/null) in
        '' | *[xt]) folder=$(dirname "$folder") ;;
        *) die "the service's user cannot enter $folder: chmod o+x it, or give another --prefix" ;;
        esac
    done
}
