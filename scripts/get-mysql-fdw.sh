#!/bin/bash
# Puts mysql_fdw beside a PostgreSQL that has none, and a MariaDB for it to reach into the folder `mariadb` there, so that
# a delegate that is not PostgreSQL's own can be tested against its real source:
#
#   scripts/get-mysql-fdw.sh MAJOR DIRECTORY
#
# DIRECTORY is the private copy of a PostgreSQL of that major that `make test` makes below target/harness. mysql_fdw and
# the client library, which the server loads, are those of the release of Debian whose PostgreSQL has that major; for 16
# no release has them. MariaDB is this system's own release's. What is there is not fetched again.
set -euo pipefail
# shellcheck source=scripts/debian.sh
. "$(dirname "$0")/debian.sh"

[ $# = 2 ] || fail "usage: $0 MAJOR DIRECTORY"
major=$1 directory=$2

# Fetches packages of a release and unpacks them: packages RELEASE PACKAGE...; where they are is in $unpacked.
packages() {
    make_apt_root deb "$1"
    unpacked=$work/unpacked
    shift
    add_packages "$@"
}

add_packages() {
    local package
    mkdir "$work/debs"
    (cd "$work/debs" && private_apt get download "$@")
    for package in "$work"/debs/*.deb; do dpkg-deb -x "$package" "$unpacked"; done
    mv "$work/debs" "$work/done.$1"
}

# The libraries that the fetched package $1 depends on, but for those that every system has.
libraries_of() {
    dpkg-deb -f "$work/done.$1/$1"_*.deb Depends | tr ',|' '\n\n' | sed -E 's/^ *//; s/[ (].*//' |
        grep '^lib' | grep -vE '^lib(c6|gcc-s1|stdc\+\+6)$'
}

get_wrapper() {
    local libraries extensions
    libraries=$(folder_of "$directory" postgres_fdw.so)
    extensions=$(folder_of "$directory" postgres_fdw.control)
    packages "$(release_of "$major")" "postgresql-$major-mysql-fdw" libmariadb3
    install -m 644 "$unpacked/usr/share/postgresql/$major/extension"/mysql_fdw* "$extensions/"
    # The name under which mysql_fdw loads it.
    install -m 755 "$(find "$unpacked" -name libmariadb.so.3)" "$libraries/libmysqlclient.so"
    install -m 755 "$unpacked/usr/lib/postgresql/$major/lib/mysql_fdw.so" "$libraries/"
    rm -rf "$work"
    echo "$libraries/mysql_fdw.so"
}

get_server() {
    local release
    # shellcheck source=/dev/null
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    [ -n "$release" ] || fail "/etc/os-release names no release of Debian"
    packages "$release" mariadb-server-core
    # shellcheck disable=SC2046 # a list of words
    add_packages $(libraries_of mariadb-server-core)
    mkdir -p "$directory/mariadb.new/lib"
    cp "$unpacked/usr/sbin/mariadbd" "$directory/mariadb.new/"
    find "$unpacked" -name 'lib*.so.*' -exec cp -P -t "$directory/mariadb.new/lib" {} +
    cp -r "$unpacked"/usr/share/m*/english "$unpacked"/usr/share/m*/charsets "$unpacked"/usr/share/m*/*_system_tables*.sql \
        "$directory/mariadb.new/"
    rm -rf "$directory/mariadb"
    mv "$directory/mariadb.new" "$directory/mariadb"
    rm -rf "$work"
    echo "$directory/mariadb/mariadbd"
}

release_of "$major" >/dev/null
[ -n "$(find "$directory" -name mysql_fdw.so -print -quit)" ] || get_wrapper
[ -e "$directory/mariadb/mariadbd" ] || get_server
