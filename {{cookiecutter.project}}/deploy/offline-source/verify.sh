#!/bin/sh
# Says whether the bundle that this lies in is whole, or names every file that is not.
set -eu
# shellcheck source=common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

usage() {
    cat <<'END'
usage: sh verify.sh [OPTION]...   check every file of this bundle, and its signature
  --key FILE           the OpenSSH public key that it must be signed with (default: the one
                       that is installed, as signing-key.pub beside the configuration)
  --require-signature  fail where no key is known
  --prefix DIR         look for that key below DIR (default: the whole machine for root, else
                       ~/.local)
Exit codes: 0 whole; 1 not whole, or not signed as it must be; 2 wrong usage.
END
}

main() {
    options "--prefix --key --require-signature" "$@"
    require_whole
    know_places
    require_origin "$bundle" "$sums"
    say "$bundle is whole: $(wc -l <"$sums") files$(signed)"
}

signed() { [ -z "$(known_key)" ] || printf ', signed by a key in %s' "$(known_key)"; }

main "$@"
exit
