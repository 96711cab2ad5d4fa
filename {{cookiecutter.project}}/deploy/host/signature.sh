# shellcheck shell=sh disable=SC2154
# Read by activate and by the scripts of a bundle: does what is to be installed come from whom the
# operator trusts? OpenSSH keys say so: one that came another way than the files.
# `given_key` is the file that was given, if any; `required` is not empty where a key is required.

known_key() { # the file of the keys that count; nothing where there is none
    if [ -n "$given_key" ]; then
        printf '%s' "$given_key"
    elif [ -e "$etc/signing-key.pub" ]; then
        printf '%s' "$etc/signing-key.pub"
    fi
}

require_origin() { # WHAT SUMS: refuses what SUMS lists unless SUMS.sig is by a key that counts
    keys=$(known_key)
    if [ -n "$keys" ]; then
        found=$(signature "$2" "$keys") || :
        [ "$found" = good ] || die "$1 is refused, nothing was changed: $found"
    elif [ -n "$required" ]; then
        die "$1 is refused, nothing was changed: no key is known to check its signature with" \
            "(give --key, or put the maker's public key at $etc/signing-key.pub)"
    else
        origin_unknown "$1"
    fi
}

origin_unknown() { # WHAT
    # What the package manager has brought, it has checked in its own way.
    is_here "$1" && [ "${1##*/}" = package ] && return
    say "its origin was not checked, for no key is known here (put the maker's public key at" \
        "$etc/signing-key.pub)"
}

signature() { # SUMS KEYS: `good`, or why SUMS does not count as signed by one of KEYS
    if ! grep -q '^[a-z]' "$2" 2>/dev/null; then
        echo "$2 holds no public key that can be read"
    elif [ ! -f "$1.sig" ]; then
        echo "it is not signed, and $2 says by whom it should be"
    elif ! command -v ssh-keygen >/dev/null 2>&1; then
        echo "its signature cannot be checked: this machine has no ssh-keygen (OpenSSH's client)"
    else
        signers=$(mktemp "${TMPDIR:-/tmp}/$name.XXXXXX") || signers=/dev/null
        sed -n "s/^[a-z]/$name &/p" "$2" >"$signers"
        if ssh-keygen -Y verify -f "$signers" -I "$name" -n file -s "$1.sig" <"$1" >/dev/null 2>&1
        then
            echo good
        else
            echo "its signature is not by a key in $2, or what it signs was changed"
        fi
        [ "$signers" = /dev/null ] || rm -f "$signers"
    fi
}

keep_key() { # the key that was given is the one to check the next release with
    [ -n "$given_key" ] && [ ! -e "$etc/signing-key.pub" ] || return 0
    put_file "$given_key" "$etc/signing-key.pub" 0644
}
