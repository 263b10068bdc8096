//! Every parser of this crate on many broken inputs; `scripts/fuzz.sh` runs it for longer.

use crate::targets;
use mqtt_testkit::fuzz::check;

#[test]
fn fuzz_decode_accepts_only_what_means_the_same_after_encoding() {
    check(&targets::DECODE, 80_000);
}

#[test]
fn fuzz_stream_means_the_same_wherever_it_is_cut() {
    check(&targets::STREAM, 60_000);
}

#[test]
fn fuzz_names_are_parsed_and_matched_as_defined() {
    check(&targets::NAMES, 80_000);
}
