#!/bin/sh
# @name@, to be installed on a machine that has nothing: after the last line of this script follows a
# gzipped tar of the bundle. See usage.
{
set -eu
unset TAR_OPTIONS GZIP EXTRACT_UNSAFE_SYMLINKS

usage() {
    cat <<'END'
usage: sh FILE.run [OPTION]...     install @name@, or upgrade to what is in this file
       sh FILE.run --extract DIR   unpack it to DIR/@name@, to look at it or run it from there
  --prefix DIR         install below DIR (default: the whole machine for root, else ~/.local)
  --settings DIR       the settings to use from now on, NAME.env, secrets.env or both; should it
                       not become healthy with them, the old ones are back with the old release
  --key FILE           the OpenSSH public key that it must be signed with; kept as
                       signing-key.pub beside the configuration when there is none yet
  --require-signature  refuse where no key is known
  --allow-downgrade    install a release that is older than the active one
Exit codes: 0 done; 1 refused or failed, what was there before is as it was; 2 wrong usage.
END
}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

main() {
    for argument in "$@"; do
        case $argument in -h | --help) usage && return ;; esac
    done
    for tool in gzip mktemp sha256sum tail tar; do
        command -v "$tool" >/dev/null 2>&1 || die "this machine has no '$tool' command, which this needs"
    done
    file=$0
    [ -f "$file" ] || file=$(command -v -- "$file")
    digest=$(payload | sha256sum)
    [ "${digest%% *}" = @digest@ ] ||
        die "$file is damaged or was not copied to its end: copy it again"
    if [ "${1-}" = --extract ]; then
        shift
        extract "$@"
    else
        install "$@"
    fi
}

payload() { tail -c +@skip@ "$file"; }

unpack() { # FOLDER WHERE_ELSE
    if said=$({ payload | gzip -dc | tar -xof - -C "$1"; } 2>&1) && [ -d "$1/@name@" ]; then return; fi
    free=$(($(stat -f -c '%a * %S / 1024' "$1" 2>/dev/null || echo 0)))
    die "could not unpack to $1, where $free kB are free: $(printf '%s\n' "$said" | head -n 1);" \
        "if that is too little, $2"
}

sweep() { # PATH: removes the folders PATH.PID.* that runs of ours have left which were killed
    for left in "$1".[0-9]*.*; do
        owner=${left#"$1".}
        # shellcheck disable=SC3067 # not in POSIX, but in every shell that is a system's sh
        if [ -d "$left" ] && [ ! -L "$left" ] && [ -O "$left" ] &&
            ! kill -0 "${owner%%.*}" 2>/dev/null; then
            rm -rf "$left"
        fi
    done
}

install() {
    sweep "${TMPDIR:-/tmp}/@name@"
    folder=$(mktemp -d "${TMPDIR:-/tmp}/@name@.$$.XXXXXX" 2>/dev/null) ||
        die "could not make a folder in ${TMPDIR:-/tmp}: set TMPDIR to another one"
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
    unpack "$folder" "set TMPDIR to a folder with more"
    # The code is what became of it, whatever signal comes: before the switch it ends, after that it
    # goes on to a good end.
    sh "$folder/@name@/Script/install.sh" "$@" &
    trap 'kill -s TERM $!' HUP INT TERM
    code=0
    while wait $! || code=$?; kill -0 $! 2>/dev/null; do code=0; done
    [ "$code" -le 2 ] || code=1
    exit "$code"
}

extract() {
    if [ $# -ne 1 ]; then
        echo "error: --extract needs one folder (see --help)" >&2
        exit 2
    fi
    if [ -e "$1/@name@" ] || [ -L "$1/@name@" ]; then die "'$1/@name@' is there already"; fi
    made=
    [ -d "$1" ] || made=$1
    mkdir -p "$1" || die "could not make the folder '$1'"
    folder=$(mktemp -d "$1/.unpacking.XXXXXX" 2>/dev/null) || die "could not write to '$1'"
    trap 'rm -rf "$folder"; rmdir "$made" 2>/dev/null || :' EXIT
    trap 'exit 1' HUP INT TERM
    unpack "$folder" "choose another folder"
    mv "$folder/@name@" "$1/@name@"
    echo "unpacked to $1/@name@; next: sh '$1/@name@/Script/install.sh' --help"
}

main "$@"
exit
}
