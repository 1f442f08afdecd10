#!/bin/bash
# What cargo calls in the place of rustc: compiles the crates that fuzz.sh is about with FUZZ_FLAGS, and others as they are.
#
#   scripts/instrument.sh RUSTC [ARGUMENT...]
set -euo pipefail

for argument in "$@"; do
    case $argument in
    fdw_guard_policy | redactor) exec "$@" $FUZZ_FLAGS ;;
    esac
done
exec "$@"
