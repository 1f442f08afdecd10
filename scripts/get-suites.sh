#!/bin/bash
# Gets the regression suites of postgres_fdw and file_fdw out of Debian's source package of PostgreSQL:
#
#   scripts/get-suites.sh VERSION DIRECTORY
#
# VERSION is the server's, for example 15.20. The source of that very version is taken if Debian's mirror has it, or else
# the newest of the same major: a minor release seldom changes a suite, and whoever runs one over a guarded wrapper runs
# it without first. DIRECTORY, made anew, then holds postgres_fdw, file_fdw, and the file `version`. For 16 no release has
# a source. The exit status is 3 if the mirror's lists name sources, and it has none of them.
set -euo pipefail
# shellcheck source=scripts/debian.sh
. "$(dirname "$0")/debian.sh"

[ $# = 2 ] || fail "usage: $0 VERSION DIRECTORY"
version=$1 directory=$2
major=${version%%[!0-9]*}
package=postgresql-$major

# The versions that the lists name, newest first, but before them the one that is wanted.
versions() {
    local all
    all=$(private_apt cache showsrc "$package" | sed -nE 's/^Version: //p' | sort -rVu)
    grep -F "$version-" <<<"$all" || true
    grep -vF "$version-" <<<"$all" || true
}

# A list can name what the mirror has not got yet, or no longer.
fetch() {
    local candidate
    for candidate in $(versions); do
        if (cd "$work" && private_apt get source --download-only "$package=$candidate"); then
            fetched=${candidate%%-*}
            return
        fi
    done
    echo "$(basename "$0" .sh): the mirror has none of the sources of $package that its lists name" >&2
    exit 3
}

release=$(release_of "$major")
command -v bzip2 >/dev/null || fail "bzip2 is missing: run make prepare"
make_apt_root deb-src "$release"
fetch
mkdir "$work/unpacked"
tar -xjf "$work/${package}_$fetched.orig.tar.bz2" -C "$work/unpacked" --strip-components=2 --wildcards \
    '*/contrib/postgres_fdw' '*/contrib/file_fdw'
echo "$fetched" >"$work/unpacked/version"
rm -rf "$directory" "$directory.new"
mkdir -p "$(dirname "$directory")"
cp -r "$work/unpacked" "$directory.new"
mv "$directory.new" "$directory"
echo "$directory: the suites of PostgreSQL $fetched"
