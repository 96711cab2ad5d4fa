# shellcheck shell=sh disable=SC2034,SC2154
# Read by activate: a release tree is checked, brought in, and gets what it needs on this machine.
# `base` and `name` are common.sh's; `target` is the name that a tree gets in releases/.

preflight() { # TREE SIZE_KB
    for key in machine glibc size_kb version release user; do
        [ -n "$(conf "$1" "$key")" ] || die "$1/host/release.conf has no '$key'"
    done
    case $(conf "$1" version) in
    .* | *[!A-Za-z0-9.+~_-]*) die "$1/host/release.conf has a wrong version" ;;
    esac
    "$1/host/preflight" "$(conf "$1" machine)" "$(conf "$1" glibc)" "$2" "$base" || exit 1
}

listed() { sed 's/^[0-9a-f]* [ *]//' "$1/SHA256SUMS"; }

# `install` is the archive's own: it lies beside the release, not in it.
present() {
    (cd "$1" && find . ! -type d ! -path ./SHA256SUMS ! -path ./install | sed 's|^\./||')
}

changed() { (cd "$1" && sha256sum -c SHA256SUMS 2>/dev/null | sed -n 's/: FAILED.*$//p'); }

first_of() { # WHAT, names on standard input: the first, and how many more there are
    read -r first || return 0
    more=$(wc -l)
    [ "$more" -eq 0 ] || first="$first and $((more)) more"
    printf '%s %s' "$1" "$first"
}

verify() { # TREE: every file as listed, none missing, none besides
    [ -s "$1/SHA256SUMS" ] || die "$1 is not whole, nothing was installed: SHA256SUMS is missing"
    wrong=$({ listed "$1" | sed '/^install$/d'; present "$1"; present "$1"; } | sort | uniq -u |
        first_of "missing:")
    [ -n "$wrong" ] || wrong=$({ present "$1"; listed "$1"; listed "$1"; } | sort | uniq -u |
        first_of "not listed in SHA256SUMS:")
    if [ -z "$wrong" ] && ! (cd "$1" && sha256sum -c SHA256SUMS >/dev/null 2>&1); then
        wrong=$(changed "$1" | first_of "changed:")
        wrong=${wrong:-"SHA256SUMS cannot be used"}
    fi
    [ -z "$wrong" ] || die "$1 is not whole, nothing was installed: $wrong"
}

stage() { # TREE: copies it into releases/; target is its name there
    version=$(conf "$1" version)
    hash=$(sha256sum <"$1/SHA256SUMS" | cut -c 1-8)
    for target in "$version" "$version-$hash" "$version-$hash-2" "$version-$hash-3"; do
        [ -e "$base/releases/$target" ] || break
        same "$1/SHA256SUMS" "$base/releases/$target/SHA256SUMS" || continue
        # Here already. A damaged one is never mended in place: it gets a whole sibling.
        if (verify "$base/releases/$target") 2>/dev/null; then return; fi
    done
    [ ! -e "$base/releases/$target" ] || die "all of $base/releases/$version* are damaged"
    staging=$base/releases/.staging.$$
    if ! copy "$1" "$staging"; then
        rm -rf "$staging"
        die "could not copy $1 to $base/releases: $(df -Pk "$base" | sed -n '$s/  */ /gp')"
    fi
    sync -f "$staging" 2>/dev/null || sync
    mv -T "$staging" "$base/releases/$target"
}

copy() { # TREE STAGING
    # Package files are only linked: the package manager replaces files, it never writes into
    # them. Anything else is copied, for it may belong to somebody who is not root.
    if [ "$1" = "$base/package" ] && cp -al "$1" "$2" 2>/dev/null; then return; fi
    rm -rf "$2"
    cp -R "$1" "$2" 2>/dev/null && chown -R 0:0 "$2" && chmod -R a+rX,go-w "$2" || return 1
    grep -q ' install$' "$2/SHA256SUMS" || rm -f "$2/install"
    (verify "$2")
}

same() { # FILE FILE
    [ -f "$1" ] && [ -f "$2" ] && [ "$(sha256sum <"$1")" = "$(sha256sum <"$2")" ]
}

put_file() { # FROM TO MODE: whole or not there
    cp "$1" "$2.new" && chmod "$3" "$2.new" && mv "$2.new" "$2"
}

prepare_host() { # RELEASE: what it needs besides itself
    user=$(conf "$base/releases/$1" user)
    id -u "$user" >/dev/null 2>&1 || add_user "$user" >/dev/null 2>&1 ||
        id -u "$user" >/dev/null 2>&1 || die "could not create the system user '$user'"
    mkdir -p "/var/lib/$name" "/etc/$name"
    chown "$user:" "/var/lib/$name"
    chmod 0750 "/var/lib/$name"
    [ -e "/etc/$name/$name.env" ] ||
        put_file "$base/releases/$1/host/$name.env" "/etc/$name/$name.env" 0640
}

add_user() { # USER
    if command -v useradd; then
        useradd --system --user-group --no-create-home --home-dir "/var/lib/$name" \
            --shell /usr/sbin/nologin "$1"
    else
        addgroup -S "$1"
        adduser -S -D -H -h "/var/lib/$name" -s /sbin/nologin -G "$1" "$1"
    fi
}
