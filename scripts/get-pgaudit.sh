#!/bin/bash
# Puts pgaudit beside a PostgreSQL that has none, so that the tests of load order can have it loaded next to fdw_guard:
#
#   scripts/get-pgaudit.sh MAJOR DIRECTORY
#
# DIRECTORY holds an installation of that major, or the private copy of one that `make test` makes below target/harness.
# The package is Debian's, of the release whose PostgreSQL has that major; apt works in a root of state of its own, so
# that the system's sources, lists and packages are neither used nor changed. For 16 no release has one.
set -euo pipefail

fail() { echo "get-pgaudit: $*" >&2; exit 1; }

[ $# = 2 ] || fail "usage: $0 MAJOR DIRECTORY"
major=$1 directory=$2

case $major in
    15) suite=bookworm ;;
    17) suite=trixie ;;
    18) suite=forky ;;
    *) fail "no release of Debian has pgaudit for PostgreSQL $major" ;;
esac

# The folder below DIRECTORY that holds the file $1, which every installation with contrib has.
folder_of() {
    local found
    found=$(find "$directory" -name "$1" -print -quit)
    [ -n "$found" ] || fail "there is no $1 below $directory"
    dirname "$found"
}

# The mirror that this system's own sources name.
mirror() {
    grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
        tr -d ' ' | sed -n 1p || true
}

make_apt_root() {
    local uri
    uri=${DEBIAN_MIRROR:-$(mirror)}
    [ -n "$uri" ] || fail "the system's apt sources name no mirror of Debian"
    mkdir -p "$work"/etc/{apt.conf.d,preferences.d,sources.list.d} "$work"/state/lists/partial "$work"/cache/archives/partial
    : >"$work/status"
    printf '%s\n' "Types: deb" "URIs: $uri" "Suites: $suite" "Components: main" \
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg" >"$work/etc/sources.list.d/debian.sources"
}

private_apt() {
    apt-get -qq -o Dir::Etc="$work/etc" -o Dir::Etc::sourcelist=/dev/null \
        -o Dir::Etc::sourceparts="$work/etc/sources.list.d" -o Dir::State="$work/state" \
        -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root \
        -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

libraries=$(folder_of postgres_fdw.so)
extensions=$(folder_of postgres_fdw.control)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make_apt_root
private_apt update
(cd "$work" && private_apt download "postgresql-$major-pgaudit")
dpkg-deb -x "$work"/postgresql-"$major"-pgaudit_*.deb "$work/unpacked"
unpacked=$work/unpacked/usr
install -m 755 "$unpacked/lib/postgresql/$major/lib/pgaudit.so" "$libraries/"
install -m 644 "$unpacked/share/postgresql/$major/extension"/pgaudit* "$extensions/"
echo "$libraries/pgaudit.so"
