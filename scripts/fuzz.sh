#!/usr/bin/env bash
# Feeds every parser of outside bytes with broken inputs and reports how fast it was, and whether
# it panicked, hung or kept memory. Plain stable Rust; a failure prints the two numbers that
# bring it back.
#
#   scripts/fuzz.sh                   60 seconds a parser
#   scripts/fuzz.sh 600               600 seconds a parser
#   scripts/fuzz.sh --inputs 10000000 so many inputs a parser
#   scripts/fuzz.sh --coverage 600    as many seconds under libFuzzer, guided by coverage, with the
#                                     address sanitizer; needs `cargo install cargo-fuzz`
set -euo pipefail
cd "$(dirname "$0")/.."

# Crates that have tests whose names begin with `fuzz_`: package and test target.
suites=("mqtt-proto main" "mqtt-common main" "mqtt-net main" "mqtt-broker main")

usage() {
    sed -n '2,/^set/ { /^set/d; s/^# \{0,1\}//; p; }' "$0"
    exit "$1"
}

seeded() { # VARIABLE VALUE
    export "$1=$2" CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true
    for suite in "${suites[@]}"; do
        read -r package target <<<"$suite"
        # One at a time: the memory of the process is then the memory of one parser.
        cargo test --release --quiet -p "$package" --test "$target" fuzz_ -- \
            --test-threads 1 --nocapture
    done
}

coverage() { # SECONDS
    cd crates/mqtt-proto
    # The sanitizers are there in stable Rust too, behind this switch.
    export RUSTC_BOOTSTRAP=1
    for target in $(cargo fuzz list); do
        echo "== $target"
        cargo fuzz run "$target" -- -max_total_time="$1" -rss_limit_mb=512 -timeout=20 -verbosity=0
    done
}

case "${1-60}" in
    -h | --help) usage 0 ;;
    --inputs) seeded FUZZ_INPUTS "${2:?how many inputs a parser?}" ;;
    --coverage) coverage "${2-60}" ;;
    *[!0-9]* | '') usage 2 >&2 ;;
    *) seeded FUZZ_SECONDS "${1-60}" ;;
esac
