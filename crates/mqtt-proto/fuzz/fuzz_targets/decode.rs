//! One packet: what is accepted has a wire form that means the same.

#![no_main]
#![allow(dead_code, reason = "one target of three is used")]

#[path = "../../tests/main/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| (targets::DECODE.run)(input));
