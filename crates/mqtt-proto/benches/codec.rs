//! Decoding and encoding a QoS 1 PUBLISH: ours beside rumqttc's, in the same run.
//!
//! `cargo bench -p mqtt-proto` prints the times and then the ratio of the two, which must not
//! exceed [`LIMIT`]. The message is 64 bytes on a topic of an ordinary length; it is decoded out
//! of a buffer of many and encoded into another, as a broker does that passes it on.

use bytes::{Bytes, BytesMut};
use divan::Bencher;
use divan::counter::ItemsCount;
use mqtt_proto::{Packet, PacketId, Properties, Publish, QoS, Topic, Version, decode};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Ours may take at most this part of rumqttc's time.
const LIMIT: f64 = 0.8;

/// As many packets as one read of a busy connection brings.
const BATCH: usize = 500;

/// One after the other, [`BATCH`] packets.
fn stream(version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    for id in 1..=BATCH as u16 {
        let publish = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: Some(Topic::parse("site/building-2/room-17/temperature").expect("a topic")),
            packet_id: PacketId::new(id),
            properties: Properties::EMPTY,
            payload: &[b'x'; 64],
        };
        Packet::Publish(publish)
            .encode(version, &mut bytes)
            .expect("a small packet");
    }
    bytes
}

fn ours(bytes: &[u8], version: Version, out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Ok(Some((packet, used))) = decode(rest, version, u32::MAX) {
        packet.encode(version, out).expect("it was just decoded");
        rest = &rest[used..];
    }
    assert_eq!(out.len(), bytes.len());
}

/// rumqttc reads from a buffer that owns its bytes; filling it is not counted.
fn theirs_v4(bytes: &mut BytesMut, out: &mut BytesMut) {
    use rumqttc::mqttbytes::v4::Packet;
    while let Ok(packet) = Packet::read(bytes, usize::MAX) {
        packet.write(out, usize::MAX).expect("it was just decoded");
    }
    assert!(bytes.is_empty());
}

fn theirs_v5(bytes: &mut BytesMut, out: &mut BytesMut) {
    use rumqttc::v5::mqttbytes::v5::Packet;
    while let Ok(packet) = Packet::read(bytes, None) {
        packet.write(out, None).expect("it was just decoded");
    }
    assert!(bytes.is_empty());
}

fn bench_ours(bencher: Bencher<'_, '_>, version: Version) {
    let bytes = stream(version);
    let mut out = Vec::with_capacity(bytes.len());
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        out.clear();
        ours(black_box(&bytes), version, &mut out);
    });
}

fn bench_theirs(bencher: Bencher<'_, '_>, version: Version, run: fn(&mut BytesMut, &mut BytesMut)) {
    let bytes = Bytes::from(stream(version));
    let mut out = BytesMut::with_capacity(bytes.len());
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| BytesMut::from(&bytes[..]))
        .bench_local_refs(|input| {
            out.clear();
            run(input, &mut out);
        });
}

#[divan::bench]
fn v4_ours(bencher: Bencher<'_, '_>) {
    bench_ours(bencher, Version::V4);
}

#[divan::bench]
fn v4_rumqttc(bencher: Bencher<'_, '_>) {
    bench_theirs(bencher, Version::V4, theirs_v4);
}

#[divan::bench]
fn v5_ours(bencher: Bencher<'_, '_>) {
    bench_ours(bencher, Version::V5);
}

#[divan::bench]
fn v5_rumqttc(bencher: Bencher<'_, '_>) {
    bench_theirs(bencher, Version::V5, theirs_v5);
}

/// The shortest of many short runs, taken in turns: what else the machine does hits both alike.
fn ratio(version: Version, theirs: fn(&mut BytesMut, &mut BytesMut)) -> (Duration, Duration) {
    let bytes = stream(version);
    let mut out = Vec::with_capacity(bytes.len());
    let mut their_out = BytesMut::with_capacity(bytes.len());
    let (mut our_best, mut their_best) = (Duration::MAX, Duration::MAX);
    for _ in 0..2000 {
        out.clear();
        let start = Instant::now();
        ours(black_box(&bytes), version, black_box(&mut out));
        our_best = our_best.min(start.elapsed());

        let mut input = BytesMut::from(&bytes[..]);
        their_out.clear();
        let start = Instant::now();
        theirs(black_box(&mut input), black_box(&mut their_out));
        their_best = their_best.min(start.elapsed());
    }
    assert_eq!(out, their_out, "both pass on the same bytes");
    (our_best, their_best)
}

fn main() {
    divan::main();
    for (name, version, theirs) in [
        ("3.1.1", Version::V4, theirs_v4 as fn(&mut _, &mut _)),
        ("5", Version::V5, theirs_v5),
    ] {
        let (ours, theirs) = ratio(version, theirs);
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!(
            "MQTT {name}: {:.1} ns a PUBLISH, rumqttc {:.1} ns: {ratio:.2} of its time (at most {LIMIT})",
            ours.as_secs_f64() * 1e9 / BATCH as f64,
            theirs.as_secs_f64() * 1e9 / BATCH as f64,
        );
        assert!(ratio <= LIMIT, "slower than promised");
    }
}
