//! Mosquitto's database, broken in small ways: whatever comes in, it is read or refused.

use mqtt_broker::store::import;
use mqtt_testkit::fuzz::{Target, check};

/// A moment in milliseconds since 1970, for what the file says is yet to end.
const NOW: u64 = 1_700_000_000_000;

/// A file of any chunks: their kinds and lengths are right, their content is a matter of luck.
const IMPORT: Target = Target {
    name: "mosquitto.db",
    make: |choices, input| {
        input.extend_from_slice(b"\x00\xB5\x00mosquitto db\0\0\0\0\0\0\0");
        input.push(choices.one_of(&[5, 6]));
        for _ in 0..=choices.below(6) {
            let body = choices.blob();
            input.extend_from_slice(&[0, 0, 0, choices.one_of(&[1, 2, 3, 4, 5, 6])]);
            let length = u32::try_from(body.len()).expect("it is short");
            input.extend_from_slice(&length.to_be_bytes());
            input.extend_from_slice(&body);
        }
    },
    words: &[
        b"\0\0\0\x02",
        b"\xFF\xFF\xFF\xFF",
        b"\0\x01a",
        b"\0\0\0\0\0\0\0\x01",
        b"a/#",
    ],
    run: |input| {
        let (one, other) = (import::read(input, NOW), import::read(input, NOW));
        match (one, other) {
            (Ok(one), Ok(other)) => {
                let parts = one.sessions + one.subscriptions + one.retained + one.deliveries;
                assert!(one.batch.entries.len() <= parts, "{one:?}");
                assert_eq!(one.batch.entries.len(), other.batch.entries.len());
            }
            (Err(one), Err(other)) => assert_eq!(one, other),
            (one, other) => panic!("{one:?} and {other:?}"),
        }
    },
};

#[test]
fn fuzz_import() {
    check(&IMPORT, 20_000);
}
