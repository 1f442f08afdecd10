#!/bin/bash
# Puts pgaudit beside a PostgreSQL that has none, so that the tests of load order can have it loaded next to fdw_guard:
#
#   scripts/get-pgaudit.sh MAJOR DIRECTORY
#
# DIRECTORY holds an installation of that major, or the private copy of one that `make test` makes below target/harness.
# The package is Debian's, of the release whose PostgreSQL has that major; for 16 no release has one.
set -euo pipefail
# shellcheck source=scripts/debian.sh
. "$(dirname "$0")/debian.sh"

[ $# = 2 ] || fail "usage: $0 MAJOR DIRECTORY"
major=$1 directory=$2

release=$(release_of "$major")
libraries=$(folder_of "$directory" postgres_fdw.so)
extensions=$(folder_of "$directory" postgres_fdw.control)
make_apt_root deb "$release"
(cd "$work" && private_apt get download "postgresql-$major-pgaudit")
dpkg-deb -x "$work"/postgresql-"$major"-pgaudit_*.deb "$work/unpacked"
unpacked=$work/unpacked/usr
install -m 755 "$unpacked/lib/postgresql/$major/lib/pgaudit.so" "$libraries/"
install -m 644 "$unpacked/share/postgresql/$major/extension"/pgaudit* "$extensions/"
echo "$libraries/pgaudit.so"
