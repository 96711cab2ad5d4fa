#!/bin/sh
# Installs the release of this bundle, or upgrades to it: checks everything, makes the release beside
# the old one, and lets its host/activate switch. Kill it at any instant and run it again.
set -eu
# shellcheck source=common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

usage() {
    cat <<'END'
usage: sh install.sh [OPTION]...   install what is in this bundle, or upgrade to it
  --prefix DIR         install below DIR (default: the whole machine for root, else ~/.local)
  --settings DIR       the settings to use from now on, NAME.env, secrets.env or both; should it
                       not become healthy with them, the old ones are back with the old release
  --key FILE           the OpenSSH public key that the bundle must be signed with; kept as
                       signing-key.pub beside the configuration when there is none yet
  --require-signature  refuse where no key is known
  --allow-downgrade    install a release that is older than the active one
Exit codes: 0 done; 1 refused or failed, what was there before is as it was; 2 wrong usage.
END
}

main() {
    options "--prefix --settings --key --require-signature --allow-downgrade" "$@"
    require_whole
    know_places
    use_patience
    require_settings
    require_own
    require_one_service
    require_way_in
    # Without a key it is the release's own checking that says so.
    [ -z "$(known_key)$required" ] || require_origin "$bundle" "$sums"
    preflight "$parts" "$(conf "$parts" size_kb)"
    mkdir -p "$base" || die "could not make $base"
    take_lock "$base/.incoming"
    trap 'rm -rf "$base/incoming"' EXIT
    trap 'exit 1' HUP INT TERM
    # What a killed run has started may still write there, and holds the lock until it does not.
    rm -rf "$base/incoming"
    make_tree "$bundle" "$base/incoming"
    trap : HUP INT TERM
    activate 9>&-
}

activate() { # on the same file system, so that no second copy is made
    set -- "$base/incoming"
    [ -z "$older" ] || set -- --allow-downgrade "$@"
    [ -z "$required" ] || set -- --require-signature "$@"
    [ -z "$given_key" ] || set -- --key "$given_key" "$@"
    [ -z "$given_settings" ] || set -- --settings "$given_settings" "$@"
    sh "$base/incoming/host/activate" "$@"
}

main "$@"
exit
