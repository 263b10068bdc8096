//! A filter and a topic: parsing and matching are as defined.

#![no_main]
#![allow(dead_code, reason = "one target of three is used")]

#[path = "../../tests/main/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| (targets::NAMES.run)(input));
