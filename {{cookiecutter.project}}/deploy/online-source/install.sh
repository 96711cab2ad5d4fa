#!/bin/sh
# shellcheck disable=SC2329 # attempt calls what it is told
# Makes a release of one commit on this machine, and upgrades to it: fetches the source, makes the
# environment that Pipfile.lock says beside the running release, and lets host/activate switch.
# Kill it at any instant and run it again. What it makes is told by source.conf, beside it.
set -eu
kit=$(dirname "$(readlink -f "$0")")
parts=$kit/release
# shellcheck source=../host/common.sh
. "$parts/host/common.sh"
# shellcheck source=../host/place.sh
. "$parts/host/place.sh"
# shellcheck source=../host/lock.sh
. "$parts/host/lock.sh"
# shellcheck source=../host/tree.sh
. "$parts/host/tree.sh"
# shellcheck source=../host/signature.sh
. "$parts/host/signature.sh"
# shellcheck source=environment.sh
. "$kit/environment.sh"
# What a release and its making may need, in kB; too little shows later, and changes nothing.
room_kb=102400

usage() {
    cat <<'END'
usage: sh install.sh --python FILE [OPTION]...   make this release here, and upgrade to it
  --python FILE        the interpreter that it is to run on
  --prefix DIR         install below DIR (default: the whole machine for root, else ~/.local)
  --settings DIR       the settings to use from now on (see host/activate --help)
  --allow-downgrade    install a release that is older than the active one
Exit codes: 0 done; 1 refused or failed, what was there before is as it was; 2 wrong usage.
END
}

main() {
    options "$@"
    here_tree=$parts
    use_place "$parts" "$below"
    require_own
    require_one_service
    require_way_in
    require_tools
    require_python
    sh "$parts/host/preflight" "$(uname -m)" none "$room_kb" "$base" || exit 1
    mkdir -p "$base" || die "could not make $base"
    take_lock "$base/.incoming"
    trap 'rm -rf "$base/incoming" "$base/.making"' EXIT
    trap 'exit 1' HUP INT TERM
    # What a killed run has started may still write there, and holds the lock until it does not.
    rm -rf "$base/incoming" "$base/.making"
    make_release 9>&-
    trap : HUP INT TERM
    activate 9>&-
}

options() {
    below='' settings='' older='' python='' given_key=''
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help)
            usage
            exit
            ;;
        --python | --prefix | --settings)
            [ -n "${2-}" ] || misuse "$1 needs a value (see install.sh --help)"
            case $1 in --python) python=$2 ;; --prefix) below=$2 ;; --settings) settings=$2 ;; esac
            shift
            ;;
        --allow-downgrade) older=allowed ;;
        *) misuse "unexpected argument '$1' (see install.sh --help)" ;;
        esac
        shift
    done
    [ -n "$python" ] || misuse "which interpreter is it to run on? (--python)"
}

told() { sed -n "s/^$1=//p" "$kit/source.conf"; } # KEY

require_tools() {
    for tool in git tar xargs; do
        command -v "$tool" >/dev/null 2>&1 || die "this machine has no '$tool' command: install it"
    done
}

require_python() { # of the right version, and where the service may use it
    wanted=$(told python)
    found=$("$python" -I -S -c 'import platform; print(platform.python_version())' 2>/dev/null) ||
        die "$python does not run here: expected Python $wanted"
    case $found. in "$wanted".*) ;; *) die "$python is Python $found: expected $wanted" ;; esac
    [ "$uid" -eq 0 ] && [ -z "$prefix" ] && with_systemd || return 0
    # By its real place and by what it is made of: a venv's is a link to another.
    for folder in $("$python" -I -S -c 'import sys; print(sys.base_prefix)') "$python"; do
        case $(readlink -f "$folder") in
        /home/* | /root/* | /run/user/*)
            die "the service cannot see $python: give an interpreter outside of /home and /root"
            ;;
        esac
    done
}

make_release() {
    work=$base/.making tree=$base/incoming
    mkdir -p "$work/source"
    if made_before; then
        cp -al "$made" "$tree"
        return
    fi
    fetch
    make_environment "$work" "$python"
    attempt "make the release" lay_out
}

made_before() { # the same commit, with the same scripts, on the same Python; sets made
    made=$base/releases/$(conf "$parts" version)
    [ -d "$made" ] || return 1
    for file in "$parts/manifest.json" "$parts"/bin/* "$parts"/host/*; do
        [ "$(filled_in "$file")" = "$(cat "$made/${file#"$parts/"}" 2>/dev/null)" ] || return 1
    done
    (verify "$made") 2>/dev/null
}

attempt() { # WHAT COMMAND...: the last line of what it says is the reason
    what=$1
    shift
    "$@" >"$work/said" 2>&1 || die "could not $what: $(grep . "$work/said" | tail -n 1)"
}

fetch() { # exactly the commit, from where everybody gets it
    commit=$(told commit)
    attempt "get the source" get "$(told repository)"
    require_signed_source
    attempt "unpack the source" git --git-dir "$work/git" archive --output "$work/source.tar" \
        "$commit" -- src Pipfile Pipfile.lock
    tar -xf "$work/source.tar" -C "$work/source"
}

get() { # REPOSITORY
    # Nobody is there to be asked for a password or about an unknown host.
    GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND=${GIT_SSH_COMMAND:-ssh -o BatchMode=yes}
    export GIT_TERMINAL_PROMPT GIT_SSH_COMMAND
    git init --quiet --bare "$work/git"
    tag=$(told tag)
    git --git-dir "$work/git" fetch --quiet --no-tags --depth 1 "$1" "$commit" \
        ${tag:+"refs/tags/$tag:refs/tags/$tag"}
}

require_signed_source() { # where a key is known here, the tag or the commit must be signed with it
    keys=$(known_key)
    if [ -z "$keys" ]; then
        origin_unknown "$kit"
        return
    fi
    sed -n "s/^[a-z]/$name &/p" "$keys" >"$work/signers"
    set -- verify-commit "$commit"
    [ -z "$tag" ] || set -- verify-tag "$tag"
    git --git-dir "$work/git" -c gpg.format=ssh -c gpg.ssh.allowedSignersFile="$work/signers" \
        "$@" >/dev/null 2>&1 ||
        die "${tag:-$commit} is refused, nothing was changed: it is not signed by a key in $keys"
    [ "$(git --git-dir "$work/git" rev-parse "${tag:-$commit}^{commit}")" = "$commit" ] ||
        die "$tag is refused, nothing was changed: it is not the commit $commit"
}

lay_out() { # the environment, the project's own code, and what the machine needs to know of them
    package=$(told package)
    cp -R "$parts" "$tree" && mv "$work/packages" "$tree/packages" &&
        cp -R "$work/source/src/." "$tree/packages/" &&
        cp "$kit/release.json" "$tree/packages/$package/release.json" &&
        "$python" -I -S -m compileall -q "$tree/packages/$package" &&
        find "$tree/packages" ! -type f ! -type d -delete &&
        fill_in &&
        chmod -R u+rwX,go+rX,go-w "$tree" && chmod 755 "$tree"/bin/* && cd "$tree" &&
        find . -type f -exec sha256sum {} + | sed 's|  \./|  |' | sort -k 2 >"$work/sums" &&
        mv "$work/sums" SHA256SUMS
}

fill_in() {
    for file in "$parts"/bin/* "$parts/host/release.conf"; do
        filled_in "$file" >"$tree/${file#"$parts/"}" || return 1
    done
}

filled_in() { # FILE of the kit, with what only this machine knows
    path=$(printf '%s' "$python" | sed 's/[&|\\]/\\&/g')
    sed "s|%PYTHON%|$path|; s|%MACHINE%|$(uname -m)|" "$1"
}

activate() { # on the same file system, so that no second copy is made
    set -- --built-here "$tree"
    [ -z "$older" ] || set -- --allow-downgrade "$@"
    [ -z "$settings" ] || set -- --settings "$settings" "$@"
    sh "$tree/host/activate" "$@"
}

main "$@"
exit
