#!/bin/bash
# Makes a machine that has Rust ready to build and run fdw_guard: a PostgreSQL server with contrib and headers, libclang
# (pgrx reads PostgreSQL's headers with it), a C compiler, cargo-pgrx, and bzip2 for the tests that unpack PostgreSQL's
# own suites. What is there already is left alone; packages are installed only by root. Standard output is one line, the
# path of the pg_config to use; what is done is told on standard error.
#
#   PG_CONFIG=… scripts/prepare.sh    for that PostgreSQL, which must be complete
#   scripts/prepare.sh                for the pg_config in PATH, or Debian's PostgreSQL
set -euo pipefail

PGRX_VERSION=0.18.1

say() { echo "prepare: $*" >&2; }
fail() { say "$*"; exit 1; }

# Debian's own major: the one that its unversioned package stands for.
debian_major() {
    local major
    major=$(apt-cache depends postgresql 2>/dev/null | sed -nE 's/.*Depends: postgresql-([0-9]+)$/\1/p' || true)
    echo "${major:-15}"
}

# Whether the pg_config $1 belongs to a server that an extension can be built for and tested with.
complete() {
    "$1" --version >/dev/null 2>&1 &&
        [ -x "$("$1" --bindir)/postgres" ] &&
        [ -e "$("$1" --includedir-server)/postgres.h" ] &&
        [ -e "$("$1" --pkglibdir)/postgres_fdw.so" ] &&
        [ -x "$("$1" --pkglibdir)/pgxs/src/test/regress/pg_regress" ]
}

debian_config() { echo "/usr/lib/postgresql/$(debian_major)/bin/pg_config"; }

# Whether the caller chose a PostgreSQL other than those that would be taken anyway; then no other will do.
chosen() { [ -n "${PG_CONFIG:-}" ] && [ "$PG_CONFIG" != pg_config ] && [ "$PG_CONFIG" != "$(debian_config)" ]; }

find_postgres() {
    local candidates candidate
    if chosen; then
        candidates=("$PG_CONFIG")
    else
        candidates=("${PG_CONFIG:-pg_config}" "$(debian_config)")
    fi
    for candidate in "${candidates[@]}"; do
        if complete "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# The library, and the compiler's own headers that it reads.
has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] ||
        { compgen -G '/usr/lib/*/libclang*.so*' && compgen -G '/usr/lib/*/lib/clang/*/include/stddef.h'; } >/dev/null
}

missing_packages() {
    local major
    if ! chosen && ! find_postgres >/dev/null; then
        major=$(debian_major)
        echo "postgresql-$major" "postgresql-server-dev-$major"
    fi
    has_libclang || echo libclang-dev
    { command -v cc && [ -e /usr/include/stdlib.h ]; } >/dev/null || echo gcc libc6-dev
    command -v pkg-config >/dev/null || echo pkg-config
    command -v bzip2 >/dev/null || echo bzip2
}

install_packages() {
    local packages command
    packages=$(missing_packages | tr '\n' ' ')
    [ -n "$packages" ] || return 0
    command="apt-get install --no-install-recommends $packages"
    command -v apt-get >/dev/null || fail "something is missing, and this is not Debian; install what it calls: $packages"
    [ "$(id -u)" = 0 ] || fail "something is missing; run as root: $command"
    say "$command"
    apt-get -q update >&2
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends $packages >&2
}

install_cargo_pgrx() {
    command -v cargo >/dev/null || fail "cargo is missing; install Rust first"
    [ "$(cargo pgrx --version 2>/dev/null)" = "cargo-pgrx $PGRX_VERSION" ] && return
    say "cargo install cargo-pgrx $PGRX_VERSION"
    cargo install --quiet --locked "cargo-pgrx@$PGRX_VERSION" >&2
}

# cargo-pgrx wants to know an installation before it builds for it.
register() {
    local major home=${PGRX_HOME:-$HOME/.pgrx}
    major=$("$1" --version | sed -nE 's/^[^0-9]*([0-9]+).*/\1/p')
    grep -qs "^pg$major *=" "$home/config.toml" && return
    say "cargo pgrx init --pg$major $1"
    cargo pgrx init "--pg$major" "$1" >&2
}

install_packages
postgres=$(find_postgres) || fail "${PG_CONFIG:-pg_config} is not that of a PostgreSQL with server, contrib and headers"
install_cargo_pgrx
register "$postgres"
echo "$postgres"
