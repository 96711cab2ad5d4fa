# shellcheck shell=sh disable=SC2034,SC2154
# Read by activate, admin and retire: what they say and ask, and how what is installed is read.
# $0 is the script that reads this; its release tree is the folder above it.
LC_ALL=C
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
export LC_ALL PATH
umask 022
here_tree=$(dirname "$(dirname "$(readlink -f "$0")")")

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

misuse() { # what is wrong with the command line
    printf 'error: %s\n' "$*" >&2
    exit 2
}

say() { printf '%s: %s\n' "$name" "$*"; }

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

conf() { # TREE KEY: one value of the release's release.conf
    sed -n "s/^$2=//p" "$1/host/release.conf" 2>/dev/null | head -n 1
}

use_name() { # TREE: everything on the machine is named after the project
    name=$(conf "$1" name)
    case $name in
    '' | *[!a-z0-9-]*) die "$1 is not a release: its host/release.conf names no project" ;;
    esac
}

same() { # FILE FILE
    [ -f "$1" ] && [ -f "$2" ] && [ "$(sha256sum <"$1")" = "$(sha256sum <"$2")" ]
}

settle() { # FILE...: on the disk before anything that comes after
    sync "$@" 2>/dev/null || sync || :
}

link_end() { # LINK: the last part of what it points to; nothing when there is no such link
    [ -L "$1" ] || return 0
    end=$(readlink "$1")
    printf '%s\n' "${end##*/}"
}

active_release() { link_end "$base/current"; }

is_release() { # FOLDER: is there a release of that name?
    case $1 in '' | .* | */*) return 1 ;; esac
    [ -f "$base/releases/$1/SHA256SUMS" ]
}

releases() { # their names, a line each
    for folder in "$base"/releases/*/; do
        folder=${folder%/}
        [ ! -d "$folder" ] || printf '%s\n' "${folder##*/}"
    done
}

# The history: a line per event, tab-separated: when, active|failed, release, why.
entries() { # active|failed: the releases that were, in order
    [ ! -f "$base/history" ] || sed -n "s/^[^	]*	$1	\([^	]*\).*/\1/p" "$base/history"
}

before() { # RELEASE: the one that was active before it and is still here
    entries active | while read -r entry; do
        [ "$entry" = "$1" ] || ! is_release "$entry" || printf '%s\n' "$entry"
    done | tail -n 1
}

address() { # where the socket listens, as a URL of this machine (operators change the port)
    ctl show -p Listen "$name.socket" | sed -n '
        s/^Listen=//
        s/^\(.*:[0-9][0-9]*\) (Stream).*/\1/
        t found
        d
        :found
        s/^0\.0\.0\.0:/127.0.0.1:/
        s/^\[::\]:/127.0.0.1:/
        s|^|http://|p
        q'
}
