//! A stream of packets: where it is cut does not matter.

#![no_main]
#![allow(dead_code, reason = "one target of three is used")]

#[path = "../../tests/main/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| (targets::STREAM.run)(input));
