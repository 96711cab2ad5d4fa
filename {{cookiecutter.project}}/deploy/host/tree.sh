# shellcheck shell=sh disable=SC2034,SC2154
# Read by activate: a release tree is checked, brought in, and gets what it needs on this machine.
# `base` and its like are place.sh's; `target` is the name that a tree gets in releases/.

preflight() { # TREE SIZE_KB
    for key in machine glibc size_kb version release user; do
        [ -n "$(conf "$1" "$key")" ] || die "$1/host/release.conf has no '$key'"
    done
    case $(conf "$1" version) in
    .* | *[!A-Za-z0-9.+~_-]*) die "$1/host/release.conf has a wrong version" ;;
    esac
    sh "$1/host/preflight" "$(conf "$1" machine)" "$(conf "$1" glibc)" "$2" "$base" || exit 1
}

listed() { sed 's/^[0-9a-f]* [ *]//' "$1/SHA256SUMS"; }

# `install` is the archive's own: it lies beside the release, not in it.
present() {
    (cd "$1" && find . ! -type d ! -path ./SHA256SUMS ! -path ./SHA256SUMS.sig ! -path ./install |
        sed 's|^\./||')
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
        die "could not copy $1 to $base/releases, where $(free_kb "$base") kB are free"
    fi
    sync -f "$staging" 2>/dev/null || sync
    mv -T "$staging" "$base/releases/$target"
}

copy() { # TREE STAGING
    # Package files are only linked: the package manager replaces files, it never writes into
    # them. A tree that was made here is moved. Anything else is copied, for it may belong to
    # somebody else.
    if is_here "$1"; then
        case ${1##*/} in
        incoming) mv -T "$1" "$2" 2>/dev/null && return ;;
        *) cp -al "$1" "$2" 2>/dev/null && return ;;
        esac
    fi
    rm -rf "$2"
    cp -R "$1" "$2" 2>/dev/null || return 1
    [ "$uid" -ne 0 ] || chown -R 0:0 "$2" || return 1
    chmod -R a+rX,go-w "$2" && find "$2" -type d -exec chmod u+w {} + || return 1
    grep -q ' install$' "$2/SHA256SUMS" || rm -f "$2/install"
    (verify "$2")
}

is_here() { # TREE: does it lie, whole, where only we write?
    case ${1##*/} in package | incoming) [ "${1%/*}" = "$(readlink -f "$base")" ] ;; *) false ;; esac
}

free_kb() { echo "$(($(stat -f -c '%a * %S / 1024' "$1" || echo 0)))"; } # FOLDER

put_file() { # FROM TO MODE: whole or not there
    cp "$1" "$2.new" && chmod "$3" "$2.new" && mv "$2.new" "$2"
}

prepare_host() { # RELEASE: what it needs besides itself
    mkdir -p "$data" "$etc"
    [ "$uid" -ne 0 ] || give_data "$(conf "$base/releases/$1" user)"
    chmod 0750 "$data"
    [ -e "$etc/$name.env" ] || settings_have "$name.env" ||
        put_file "$base/releases/$1/host/$name.env" "$etc/$name.env" 0640
}

give_data() { # USER
    if ! id -u "$1" >/dev/null 2>&1 && ! add_user "$1" >/dev/null 2>&1 &&
        ! id -u "$1" >/dev/null 2>&1; then
        # Without a service nobody needs it, and small systems have nothing that makes one.
        ! with_systemd || die "could not create the system user '$1'"
        return 0
    fi
    chown "$1:" "$data"
}

add_user() { # USER
    if command -v useradd; then
        useradd --system --user-group --no-create-home --home-dir "$data" \
            --shell /usr/sbin/nologin "$1"
    else
        addgroup -S "$1"
        adduser -S -D -H -h "$data" -s /sbin/nologin -G "$1" "$1"
    fi
}

link_commands() { # puts the program and what administers it on PATH; a package does that itself
    [ ! -d "$base/package" ] || return 0
    made=
    link_command "$name" "bin/$name"
    link_command "$name-admin" host/admin
    case :$PATH: in
    *":$commands:"*) ;;
    *) [ -z "$made" ] || say "$commands is not on your PATH: $name and $name-admin are there" ;;
    esac
}

link_command() { # COMMAND FILE, in the release
    link=$commands/$1 end=$base/current/$2
    [ "$(readlink "$link")" != "$end" ] || return 0
    if [ -e "$link" ] && [ ! -L "$link" ]; then
        say "$link is there already and stays: call $end"
    elif mkdir -p "$commands" && ln -sfn "$end" "$link"; then
        made=yes
    else
        say "could not make $link: call $end"
    fi
}
