# For the scripts that get something from Debian's archive: apt in a root of state of its own, so that the system's
# sources, lists and packages are neither used nor changed. Sourced, under `set -euo pipefail`.
#
# DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR name other mirrors than those that the system's own sources name.

fail() { echo "$(basename "$0" .sh): $*" >&2; exit 1; }

# The release whose PostgreSQL has major $1. No release has 16.
release_of() {
    case $1 in
        15) echo bookworm ;;
        17) echo trixie ;;
        18) echo forky ;;
        *) fail "no release of Debian has PostgreSQL $1" ;;
    esac
}

# The mirror in the system's sources whose path is $1.
system_mirror() {
    grep -rhoE "https?://[^ ]+/$1/?( |\$)" /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
        tr -d ' ' | sed -n 1p || true
}

source_entry() {
    printf '%s\n' "Types: $1" "URIs: $2" "Suites: $3" "Components: main" \
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg" ""
}

# Makes the folder $work, which goes when the script ends, with a root of apt's for the packages (deb) or the sources
# (deb-src) of a release: make_apt_root deb bookworm
make_apt_root() {
    local types=$1 release=$2 main security
    main=${DEBIAN_MIRROR:-$(system_mirror debian)}
    security=${DEBIAN_SECURITY_MIRROR:-$(system_mirror debian-security)}
    [ -n "$main" ] || fail "the system's apt sources name no mirror of Debian"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work"/etc/{apt.conf.d,preferences.d,sources.list.d} "$work"/state/lists/partial "$work"/cache/archives/partial
    : >"$work/status"
    {
        source_entry "$types" "$main" "$release"
        [ -z "$security" ] || source_entry "$types" "$security" "$release-security"
    } >"$work/etc/sources.list.d/debian.sources"
    private_apt get update
}

# apt-get or apt-cache in that root: private_apt get update
private_apt() {
    local program=$1
    shift
    "apt-$program" -qq -o Dir::Etc="$work/etc" -o Dir::Etc::sourcelist=/dev/null \
        -o Dir::Etc::sourceparts="$work/etc/sources.list.d" -o Dir::State="$work/state" \
        -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root \
        -o APT::Install-Recommends=false -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# The folder below $1 that holds the file $2, which every installation with contrib has.
folder_of() {
    local found
    found=$(find "$1" -name "$2" -print -quit)
    [ -n "$found" ] || fail "there is no $2 below $1"
    dirname "$found"
}
