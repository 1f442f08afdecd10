#!/bin/bash
# Fuzzes the redactor with libFuzzer, on the stable compiler:
#
#   scripts/fuzz.sh SECONDS [OPTION...]
#
# libFuzzer's own source is part of the crate libfuzzer-sys, and compiled here; cargo-fuzz and a nightly compiler are not
# needed. The corpus and what was built are kept below target/fuzz, so that a run goes on where the last one ended. An
# input that fails is left there too; give its path as an option to run it alone.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "fuzz: $*" >&2; }

[ $# -ge 1 ] || { say "usage: $0 SECONDS [OPTION...]"; exit 1; }
seconds=$1
shift

# libFuzzer is C++.
if ! command -v "${CXX:-c++}" >/dev/null; then
    command="apt-get install --no-install-recommends g++"
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { say "a C++ compiler is missing; run as root: $command"; exit 1; }
    say "$command"
    apt-get -q update >&2
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends g++ >&2
fi

target=$PWD/target/fuzz
triple=$(rustc -vV | sed -n 's/^host: //p')
# What -Zsanitizer=… of a nightly compiler stands for, without a sanitizer: safe Rust has no use for one. Only the redactor is
# instrumented: what its dependencies do inside tells libFuzzer nothing, and they are built in a fraction of the time.
flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
flags+=" -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
export FUZZ_FLAGS=$flags
# Which flags were used cargo knows by this name alone.
build=fuzz_$(cat scripts/fuzz.sh scripts/instrument.sh | cksum | cut -d " " -f 1)
RUSTFLAGS="--cfg $build" RUSTC_WRAPPER=$PWD/scripts/instrument.sh CARGO_TARGET_DIR=$target \
    cargo build --quiet --release --locked --manifest-path policy/fuzz/Cargo.toml --target "$triple"

mkdir -p "$target/corpus"
exec "$target/$triple/release/redactor" -max_total_time="$seconds" -max_len=1024 -len_control=0 -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$target/" -print_final_stats=1 "$@" "$target/corpus"
