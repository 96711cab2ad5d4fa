#!/bin/sh
# Installs what the tests run besides Python, on Debian 12 or newer; does nothing where all is there.
set -eu
packages="
    apt-utils
    createrepo-c
    dnf
    dpkg-dev
    git
    gnupg
    iproute2
    man-db
    mmdebstrap
    openssh-client
    busybox-static
    qemu-user-static
    rpm
    rsync
    shellcheck
    systemd-container
"
# These may have come another way, with which Debian's own would not go together.
command -v npm >/dev/null || packages="$packages nodejs npm"
command -v java >/dev/null || packages="$packages default-jre-headless"
missing=
for package in $packages; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
    *' installed') ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
apt-get install -y -qq --no-install-recommends $missing
