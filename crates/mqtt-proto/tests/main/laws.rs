//! Laws for arbitrary packets and arbitrary bytes.

use crate::targets::{check_decode, check_names, check_stream};
use mqtt_proto::{EncodeError, Packet, PacketType, Version, decode};
use mqtt_testkit::sample::Sample;
use proptest::collection::vec;
use proptest::prelude::*;

fn versions() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V3), Just(Version::V4), Just(Version::V5)]
}

fn encoded(sample: &Sample) -> Vec<u8> {
    let mut bytes = Vec::new();
    sample
        .packet()
        .encode(sample.version(), &mut bytes)
        .unwrap();
    bytes
}

/// Each type of packet in each version gets its own share of the cases.
#[test]
fn every_packet_comes_back_from_its_bytes() {
    let config = ProptestConfig::with_cases(100);
    for kind in PacketType::ALL {
        for version in [Version::V3, Version::V4, Version::V5] {
            proptest!(config.clone(), |(entropy in vec(any::<u8>(), 0..400))| {
                let sample = Sample::of(kind, version, &entropy);
                let bytes = encoded(&sample);
                let expected = (sample.packet(), bytes.len());
                prop_assert_eq!(decode(&bytes, version, u32::MAX), Ok(Some(expected)));
                let mut again = Vec::new();
                decode(&bytes, version, u32::MAX).unwrap().unwrap().0.encode(version, &mut again).unwrap();
                prop_assert_eq!(bytes, again);
            });
        }
    }
}

proptest! {
    #[test]
    fn packets_are_appended_and_what_follows_is_left_alone(
        entropy in vec(any::<u8>(), 0..300),
        before in vec(any::<u8>(), 0..20),
        after in vec(any::<u8>(), 0..20),
    ) {
        let sample = Sample::new(&entropy);
        let mut bytes = before.clone();
        sample.packet().encode(sample.version(), &mut bytes).unwrap();
        prop_assert_eq!(&bytes[..before.len()], &before[..]);
        let length = bytes.len() - before.len();
        bytes.extend(after);
        let decoded = decode(&bytes[before.len()..], sample.version(), u32::MAX);
        prop_assert_eq!(decoded, Ok(Some((sample.packet(), length))));
    }

    #[test]
    fn a_packet_cut_short_is_incomplete_and_never_wrong(entropy in vec(any::<u8>(), 0..300)) {
        let sample = Sample::new(&entropy);
        let bytes = encoded(&sample);
        for cut in 0..bytes.len() {
            prop_assert_eq!(decode(&bytes[..cut], sample.version(), u32::MAX), Ok(None));
        }
    }

    #[test]
    fn the_largest_packet_size_is_the_largest_allowed(entropy in vec(any::<u8>(), 0..300)) {
        let sample = Sample::new(&entropy);
        let bytes = encoded(&sample);
        let size = bytes.len() as u32;
        prop_assert!(decode(&bytes, sample.version(), size).is_ok());
        let refused = decode(&bytes, sample.version(), size - 1).unwrap_err();
        prop_assert_eq!(refused.reason.value(), 0x95);
    }

    #[test]
    fn a_stream_of_packets_means_the_same_wherever_it_is_cut(
        entropies in vec(vec(any::<u8>(), 0..120), 0..6),
        version in versions(),
        cut in 1usize..40,
        broken in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut bytes = Vec::new();
        for entropy in &entropies {
            let kind = PacketType::ALL[usize::from(entropy.first().copied().unwrap_or(2)) % 15];
            bytes.extend(encoded(&Sample::of(kind, version, entropy)));
        }
        if let (Some((at, value)), false) = (broken, bytes.is_empty()) {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        check_stream(&bytes, version, u32::MAX, 1);
        check_stream(&bytes, version, u32::MAX, cut);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in vec(any::<u8>(), 0..200), version in versions()) {
        check_decode(&bytes, version);
        check_stream(&bytes, version, 100, 1);
    }

    #[test]
    fn any_text_is_a_name_or_none(filter in "[ab/+#$αsher\u{0}]{0,12}", topic in "[ab/+#$α\u{7f}]{0,8}") {
        check_names(&filter, &topic);
        check_names(&topic, &filter);
        check_names(&format!("$share/{filter}"), &topic);
    }
}

#[test]
fn a_string_that_is_too_long_leaves_the_buffer_as_it_was() {
    let long = "x".repeat(65_536);
    let connect = mqtt_proto::Connect {
        version: Version::V4,
        clean_start: true,
        keep_alive: 0,
        client_id: &long,
        will: None,
        username: None,
        password: None,
        properties: mqtt_proto::Properties::EMPTY,
    };
    let mut out = b"before".to_vec();
    let refused = Packet::Connect(connect).encode(Version::V4, &mut out);
    assert_eq!(
        refused,
        Err(EncodeError::FieldTooLong("the client identifier"))
    );
    assert_eq!(out, b"before");
}
