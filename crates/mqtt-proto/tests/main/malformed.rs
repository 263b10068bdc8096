//! Every rule of the wire, by a packet that breaks it and the reason and clause it is refused with.

use crate::notation::bytes;
use mqtt_proto::{DecodeError, PacketType, ReasonCode, Version, decode, frame_length};
use mqtt_testkit::sample::Sample;

/// The rows of a table, each cut at its bars; the first column is what the row is about.
fn rows<const COLUMNS: usize>(table: &str) -> impl Iterator<Item = [&str; COLUMNS]> {
    table.trim().lines().map(|line| {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        columns
            .try_into()
            .unwrap_or_else(|_| panic!("'{line}' has not {COLUMNS} columns"))
    })
}

fn versions(digits: &str) -> impl Iterator<Item = Version> {
    digits.chars().map(|digit| match digit {
        '3' => Version::V3,
        '4' => Version::V4,
        '5' => Version::V5,
        other => panic!("{other} is not a version"),
    })
}

/// How a packet is refused: whether the peer or only the log is told, and the reason code.
fn answer(error: DecodeError) -> String {
    let whom = if error.silent { "silent" } else { "told" };
    format!("{whom} {:02X}", error.reason.value())
}

/// Each row: what is wrong, the versions in which it is, the packet (see [`bytes`]), answer, clause.
#[track_caller]
fn check(table: &str) {
    for [name, digits, packet, expected, clause] in rows(table) {
        let expected = expected.split_whitespace().collect::<Vec<_>>().join(" ");
        for version in versions(digits) {
            match decode(&bytes(packet), version, u32::MAX) {
                Err(error) => assert_eq!(
                    (answer(error).as_str(), error.clause),
                    (expected.as_str(), clause),
                    "{name}, {version:?}: {error}"
                ),
                other => panic!("{name}, {version:?}: not refused but {other:?}"),
            }
        }
    }
}

#[test]
fn the_fixed_header_is_strict() {
    check(
        "
        type 0                  | 345 | 00 ..             | told   82 | 2.1.2
        AUTH                    |  34 | F0 ..             | told   82 | 2.1.2
        both QoS bits           | 345 | 36 .. 't' 0001 00 | told   81 | MQTT-3.3.1-4
        DUP at QoS 0            | 345 | 38 .. 't' 00      | told   81 | MQTT-3.3.1-2
        length of five bytes    | 345 | 30 8080808001     | silent 81 | 1.5.5
        length without an end   | 345 | 30 FFFFFFFF       | silent 81 | 1.5.5
        length 0 in two bytes   |   5 | C0 8000           | silent 81 | MQTT-1.5.5-1
        length 1 in three bytes |   5 | C0 818000 00      | silent 81 | MQTT-1.5.5-1
        PINGREQ with a body     | 345 | C0 .. 00          | silent 81 | 4.13
        PINGRESP with a body    | 345 | D0 .. 00          | silent 81 | 4.13
        ",
    );
}

/// The flags that a first byte may have, by the standard's table 2-2 and 3.1's flow of DUP.
fn flags_are_good(first: u8, version: Version) -> bool {
    let flags = first & 0x0F;
    match first >> 4 {
        0 => false,
        // The flags of CONNECT are judged when it has said which version it is.
        1 => true,
        3 => matches!(flags, 0..=5 | 0x0A..=0x0D),
        6 | 8 | 10 => flags == 2 || (version == Version::V3 && flags == 0x0A),
        15 => version.is_v5() && flags == 0,
        _ => flags == 0,
    }
}

#[test]
fn every_first_byte_is_judged_before_anything_else_has_come() {
    for version in versions("345") {
        for first in 0..=255 {
            let verdict = frame_length(&[first], version, u32::MAX);
            assert_eq!(
                verdict.is_ok(),
                flags_are_good(first, version),
                "{first:#04x} in {version:?}: {verdict:?}"
            );
            if let Err(error) = verdict {
                let expected = match first >> 4 {
                    3 => ["MQTT-3.3.1-2", "MQTT-3.3.1-4"].contains(&error.clause),
                    0 | 15 if error.clause == "2.1.2" => error.reason == ReasonCode::ProtocolError,
                    _ => error.clause == "MQTT-2.1.3-1",
                };
                assert!(expected, "{first:#04x} in {version:?}: {error}");
            }
        }
    }
}

#[test]
fn connect_is_strict_about_the_version() {
    check(
        "
        other name            |   5 | 10 .. 'MQTX' 04 02 003C 'id'     | silent 82 | MQTT-3.1.2-1
        name in small letters |   5 | 10 .. 'mqtt' 04 02 003C 'id'     | silent 82 | MQTT-3.1.2-1
        no name               |   5 | 10 .. '' 04 02 003C 'id'         | silent 82 | MQTT-3.1.2-1
        longer name           |   5 | 10 .. 'MQTTT' 04 02 003C 'id'    | silent 82 | MQTT-3.1.2-1
        level 0               |   5 | 10 .. 'MQTT' 00 02 003C 'id'     | told   84 | MQTT-3.1.2-2
        level 3 of MQTT       |   5 | 10 .. 'MQTT' 03 02 003C 'id'     | told   84 | MQTT-3.1.2-2
        level 6               |   5 | 10 .. 'MQTT' 06 02 003C { } 'id' | told   84 | MQTT-3.1.2-2
        level 4 of MQIsdp     |   5 | 10 .. 'MQIsdp' 04 02 003C 'id'   | told   84 | MQTT-3.1.2-2
        nothing               |   5 | 10 ..                            | silent 81 | 4.13
        name cut              |   5 | 10 .. 0004 4D51                  | silent 81 | 4.13
        no level              |   5 | 10 .. 'MQTT'                     | silent 81 | 4.13
        ",
    );
}

#[test]
fn connect_is_strict_about_its_flags() {
    check(
        "
        flags in 3.1.1's first byte |   5 | 12 .. 'MQTT' 04 02 003C 'id'                 | silent 81 | MQTT-2.1.3-1
        flags in 5's first byte     |   5 | 18 .. 'MQTT' 05 02 003C { } 'id'             | silent 81 | MQTT-2.1.3-1
        reserved flag in 3.1.1      |   5 | 10 .. 'MQTT' 04 03 003C 'id'                 | silent 81 | MQTT-3.1.2-3
        reserved flag in 5          |   5 | 10 .. 'MQTT' 05 03 003C { } 'id'             | silent 81 | MQTT-3.1.2-3
        will QoS 3 in 3.1           |   5 | 10 .. 'MQIsdp' 03 1E 003C 'id' 't' 'm'       | silent 81 | MQTT-3.1.2-12
        will QoS 3 in 3.1.1         |   5 | 10 .. 'MQTT' 04 1E 003C 'id' 't' 'm'         | silent 81 | MQTT-3.1.2-12
        will QoS 3 in 5             |   5 | 10 .. 'MQTT' 05 1E 003C { } 'id' { } 't' 'm' | silent 81 | MQTT-3.1.2-12
        will QoS without a will     |   5 | 10 .. 'MQTT' 04 0A 003C 'id'                 | silent 81 | MQTT-3.1.2-11
        will retain without a will  |   5 | 10 .. 'MQTT' 05 22 003C { } 'id'             | silent 81 | MQTT-3.1.2-11
        password alone in 3.1       |   5 | 10 .. 'MQIsdp' 03 42 003C 'id' 'pw'          | silent 81 | MQTT-3.1.2-22
        password alone in 3.1.1     |   5 | 10 .. 'MQTT' 04 42 003C 'id' 'pw'            | silent 81 | MQTT-3.1.2-22
        no flags                    |   5 | 10 .. 'MQTT' 04                              | silent 81 | 4.13
        ",
    );
}

#[test]
fn connect_is_strict_about_its_fields() {
    check(
        "
        no keep alive                |   5 | 10 .. 'MQTT' 04 02                             | silent 81 | 4.13
        no client id                 |   5 | 10 .. 'MQTT' 04 02 003C                        | told   85 | 4.13
        client id cut                |   5 | 10 .. 'MQTT' 04 02 003C 0009 41                | told   85 | 4.13
        client id with NUL           |   5 | 10 .. 'MQTT' 04 02 003C 0002 4100              | told   85 | MQTT-1.5.4-2
        client id with half a letter |   5 | 10 .. 'MQTT' 04 02 003C 0001 CE                | told   85 | MQTT-1.5.4-1
        client id with a surrogate   |   5 | 10 .. 'MQTT' 05 02 003C { } 0003 EDA080        | told   85 | MQTT-1.5.4-1
        no will topic                |   5 | 10 .. 'MQTT' 04 06 003C 'id'                   | told   81 | 4.13
        empty will topic             |   5 | 10 .. 'MQTT' 04 06 003C 'id' '' 'm'            | told   90 | MQTT-4.7.0-1
        will topic with a wildcard   |   5 | 10 .. 'MQTT' 05 06 003C { } 'id' { } 'a/#' 'm' | told   90 | MQTT-4.7.0-1
        will topic with NUL          |   5 | 10 .. 'MQTT' 04 06 003C 'id' 0001 00 'm'       | told   81 | MQTT-1.5.4-2
        no will payload              |   5 | 10 .. 'MQTT' 04 06 003C 'id' 't'               | told   81 | 4.13
        no will properties           |   5 | 10 .. 'MQTT' 05 06 003C { } 'id'               | told   81 | 4.13
        no user name                 |   5 | 10 .. 'MQTT' 04 82 003C 'id'                   | silent 81 | 4.13
        user name with NUL           |   5 | 10 .. 'MQTT' 04 82 003C 'id' 0001 00           | silent 81 | MQTT-1.5.4-2
        user name with a surrogate   |   5 | 10 .. 'MQTT' 05 82 003C { } 'id' 0003 EDBFBF   | silent 81 | MQTT-1.5.4-1
        no password                  |   5 | 10 .. 'MQTT' 04 C2 003C 'id' 'u'               | silent 81 | 4.13
        password cut                 |   5 | 10 .. 'MQTT' 04 C2 003C 'id' 'u' 0002 41       | silent 81 | 4.13
        bytes after the client id    |   5 | 10 .. 'MQTT' 04 02 003C 'id' 00                | told   81 | 4.13
        bytes after the password     |   5 | 10 .. 'MQTT' 05 C2 003C { } 'id' 'u' 'p' 00    | told   81 | 4.13
        authentication data alone    |   5 | 10 .. 'MQTT' 05 02 003C { 16 'data' } 'id'     | told   82 | 3.1.2.11.10
        ",
    );
}

#[test]
fn connack_is_strict() {
    check(
        "
        nothing                             | 345 | 20 ..                 | told   81 | 4.13
        no code                             | 345 | 20 .. 00              | told   81 | 4.13
        reserved flags                      |  45 | 20 .. 02 00           | told   81 | MQTT-3.2.2-1
        return code 6                       |  34 | 20 .. 00 06           | told   81 | 3.2.2.3
        a code of version 5                 |  34 | 20 .. 00 87           | told   81 | 3.2.2.3
        code of DISCONNECT                  |   5 | 20 .. 00 8E { }       | told   81 | 2.4
        code that is none                   |   5 | 20 .. 00 7F { }       | told   81 | 2.4
        short form with a code that is none |   5 | 20 .. 00 7F           | told   81 | 3.2.2.3
        bytes after the code                |  34 | 20 .. 00 00 00        | told   81 | 4.13
        bytes after the properties          |   5 | 20 .. 00 00 { } 00    | told   81 | 4.13
        maximum QoS 2                       |   5 | 20 .. 00 00 { 24 02 } | told   82 | 3.2.2.3.4
        ",
    );
}

#[test]
fn publish_is_strict() {
    check(
        "
        nothing                        | 345 | 30 ..                  | told   81 | 4.13
        topic cut                      | 345 | 30 .. 0005 61          | told   81 | 4.13
        no topic                       |  34 | 30 .. ''               | told   81 | MQTT-4.7.3-1
        no topic and no alias          |   5 | 30 .. '' { }           | told   81 | MQTT-4.7.3-1
        + in the topic                 |  34 | 30 .. 'a/+' 6D         | told   81 | MQTT-3.3.2-2
        # in the topic                 |   5 | 30 .. 'a#b' { } 6D     | told   81 | MQTT-3.3.2-2
        NUL in the topic               | 345 | 30 .. 0003 610062 00   | told   81 | MQTT-1.5.4-2
        surrogate in the topic         | 345 | 30 .. 0003 EDA080 00   | told   81 | MQTT-1.5.4-1
        overlong form in the topic     | 345 | 30 .. 0002 C0AF 00     | told   81 | MQTT-1.5.4-1
        control character in the topic | 345 | 30 .. 0002 611F 00     | told   81 | 1.5.4
        non-character in the topic     | 345 | 30 .. 0003 EFBFBF 00   | told   81 | 1.5.4
        no packet id                   | 345 | 32 .. 't'              | told   81 | 4.13
        half a packet id               | 345 | 34 .. 't' 00           | told   81 | 4.13
        packet id 0 at QoS 1           | 345 | 32 .. 't' 0000 00      | told   82 | MQTT-2.2.1-3
        packet id 0 at QoS 2           | 345 | 34 .. 't' 0000 00      | told   82 | MQTT-2.2.1-3
        no properties                  |   5 | 30 .. 't'              | told   81 | 4.13
        alias 0                        |   5 | 30 .. 't' { 23 0000 }  | told   94 | MQTT-3.3.2-8
        alias 0 without a topic        |   5 | 30 .. '' { 23 0000 }   | told   94 | MQTT-3.3.2-8
        response topic with a wildcard |   5 | 30 .. 't' { 08 'a/+' } | told   82 | MQTT-3.3.2-14
        empty response topic           |   5 | 30 .. 't' { 08 '' }    | told   82 | MQTT-3.3.2-14
        ",
    );
    let deep = "2F".repeat(201);
    let bytes = bytes(&format!("30 .. 00C9 {deep} 00"));
    let error = decode(&bytes, Version::V5, u32::MAX).unwrap_err();
    assert_eq!((error.reason.value(), error.clause), (0x81, "4.7.3"));
}

#[test]
fn acknowledgements_are_strict() {
    for first in ["40", "50", "62", "70"] {
        let table = "
        nothing                    | 345 | ?? ..                | told 81 | 4.13
        half a packet id           | 345 | ?? .. 00             | told 81 | 4.13
        packet id 0                | 345 | ?? .. 0000           | told 82 | MQTT-2.2.1-3
        a reason below version 5   |  34 | ?? .. 0001 00        | told 81 | 4.13
        a reason that is none      |   5 | ?? .. 0001 7F        | told 82 | 2.4
        another packet's reason    |   5 | ?? .. 0001 8E        | told 82 | 2.4
        properties cut             |   5 | ?? .. 0001 00 05     | told 81 | 4.13
        bytes after the properties |   5 | ?? .. 0001 00 { } 00 | told 81 | 4.13
        ";
        check(&table.replace("??", first));
    }
}

#[test]
fn subscribe_is_strict() {
    check(
        "
        nothing                           | 345 | 82 ..                             | told   81 | 4.13
        packet id 0                       |  34 | 82 .. 0000 'a' 00                 | told   81 | MQTT-2.2.1-3
        packet id 0                       |   5 | 82 .. 0000 { } 'a' 00             | told   81 | MQTT-2.2.1-3
        no filter                         |  34 | 82 .. 0001                        | told   81 | MQTT-3.8.3-2
        no filter                         |   5 | 82 .. 0001 { }                    | told   81 | MQTT-3.8.3-2
        filter cut                        |  34 | 82 .. 0001 0009 61                | told   81 | 4.13
        no options                        |  34 | 82 .. 0001 'a'                    | told   81 | 4.13
        no options of the second          |   5 | 82 .. 0001 { } 'a' 00 'b'         | told   81 | 4.13
        empty filter                      |  34 | 82 .. 0001 '' 00                  | told   81 | MQTT-4.7.3-1
        NUL in the filter                 |  34 | 82 .. 0001 0001 00 00             | told   81 | MQTT-1.5.4-2
        surrogate in the filter           |  34 | 82 .. 0001 0003 EDA080 00         | told   81 | MQTT-1.5.4-1
        # in the middle                   |  34 | 82 .. 0001 'a/#/b' 00             | told   81 | MQTT-4.7.1-1
        # beside a letter                 |   5 | 82 .. 0001 { } 'a#' 00            | told   81 | MQTT-4.7.1-1
        + beside a letter                 |  34 | 82 .. 0001 'a/b+' 00              | told   81 | MQTT-4.7.1-2
        two + in a level                  |   5 | 82 .. 0001 { } '++' 00            | told   81 | MQTT-4.7.1-2
        QoS 3                             |  34 | 82 .. 0001 'a' 03                 | told   81 | MQTT-3.8.3-4
        options below version 5           |  34 | 82 .. 0001 'a' 05                 | told   81 | MQTT-3.8.3-4
        reserved bits below version 5     |  34 | 82 .. 0001 'a' 80                 | told   81 | MQTT-3.8.3-4
        QoS 3                             |   5 | 82 .. 0001 { } 'a' 03             | told   81 | MQTT-3.8.3-5
        retain handling 3                 |   5 | 82 .. 0001 { } 'a' 30             | told   81 | MQTT-3.8.3-5
        reserved bit 6                    |   5 | 82 .. 0001 { } 'a' 40             | told   81 | MQTT-3.8.3-5
        reserved bit 7                    |   5 | 82 .. 0001 { } 'a' 80             | told   81 | MQTT-3.8.3-5
        share without a filter            |   5 | 82 .. 0001 { } '$share/g' 00      | told   81 | MQTT-4.8.2-1
        share with an empty name          |   5 | 82 .. 0001 { } '$share//a' 00     | told   81 | MQTT-4.8.2-1
        share with a wildcard in its name |   5 | 82 .. 0001 { } '$share/+/a' 00    | told   81 | MQTT-4.8.2-1
        shared and no-local               |   5 | 82 .. 0001 { } '$share/g/a' 04    | told   82 | MQTT-3.8.3-4
        subscription identifier 0         |   5 | 82 .. 0001 { 0B 00 } 'a' 00       | told   82 | 2.2.2.2
        two subscription identifiers      |   5 | 82 .. 0001 { 0B 01 0B 02 } 'a' 00 | told   82 | 2.2.2.2
        ",
    );
}

#[test]
fn unsubscribe_is_strict() {
    check(
        "
        nothing                | 345 | A2 ..                      | told   81 | 4.13
        packet id 0            |  34 | A2 .. 0000 'a'             | told   81 | MQTT-2.2.1-3
        no filter              |  34 | A2 .. 0001                 | told   81 | MQTT-3.10.3-2
        no filter              |   5 | A2 .. 0001 { }             | told   81 | MQTT-3.10.3-2
        filter cut             |  34 | A2 .. 0001 0009 61         | told   81 | 4.13
        empty filter           |   5 | A2 .. 0001 { } ''          | told   81 | MQTT-4.7.3-1
        NUL in the filter      |  34 | A2 .. 0001 0001 00         | told   81 | MQTT-1.5.4-2
        # in the middle        |  34 | A2 .. 0001 '#/b'           | told   81 | MQTT-4.7.1-1
        + beside a letter      |  34 | A2 .. 0001 '+a'            | told   81 | MQTT-4.7.1-2
        share without a filter |   5 | A2 .. 0001 { } '$share/g/' | told   81 | MQTT-4.8.2-1
        ",
    );
}

#[test]
fn suback_and_unsuback_are_strict() {
    check(
        "
        SUBACK of packet 0              |  34 | 90 .. 0000 00     | told   82 | MQTT-2.2.1-3
        SUBACK without a code           |  34 | 90 .. 0001        | told   81 | 3.9.3
        SUBACK without a code           |   5 | 90 .. 0001 { }    | told   81 | 3.9.3
        SUBACK with code 3              |  34 | 90 .. 0001 03     | told   81 | 2.4
        SUBACK with a code of version 5 |  34 | 90 .. 0001 87     | told   81 | MQTT-3.9.3-2
        SUBACK with UNSUBACK's code     |   5 | 90 .. 0001 { } 11 | told   81 | 2.4
        UNSUBACK of packet 0            | 345 | B0 .. 0000 00     | told   82 | MQTT-2.2.1-3
        UNSUBACK with a code            |  34 | B0 .. 0001 00     | told   81 | 4.13
        UNSUBACK without properties     |   5 | B0 .. 0001        | told   81 | 4.13
        UNSUBACK without a code         |   5 | B0 .. 0001 { }    | told   81 | 3.11.3
        UNSUBACK with SUBACK's code     |   5 | B0 .. 0001 { } 01 | told   81 | 2.4
        ",
    );
}

#[test]
fn disconnect_and_auth_are_strict() {
    check(
        "
        DISCONNECT with a body                |  34 | E0 .. 00               | told   81 | 4.13
        DISCONNECT with CONNACK's reason      |   5 | E0 .. 84               | silent 81 | 2.4
        DISCONNECT with a reason that is none |   5 | E0 .. 7F { }           | silent 81 | 2.4
        DISCONNECT with bytes after it        |   5 | E0 .. 00 { } 00        | told   81 | 4.13
        DISCONNECT with flags                 | 345 | E1 ..                  | told   82 | MQTT-2.1.3-1
        AUTH with flags                       |   5 | F2 ..                  | told   82 | MQTT-2.1.3-1
        AUTH without a method                 |   5 | F0 .. 18 { }           | told   82 | 3.15.2.2.2
        AUTH without properties               |   5 | F0 .. 18               | told   82 | 3.15.2.2.2
        AUTH with another reason              |   5 | F0 .. 87 { 15 'm' }    | told   81 | 2.4
        AUTH with bytes after it              |   5 | F0 .. 18 { 15 'm' } 00 | told   81 | 4.13
        ",
    );
}

#[test]
fn properties_are_strict_about_their_form() {
    check(
        "
        length beyond the packet                  |   5 | 30 .. 't' 05 0101                            | told   81 | 4.13
        length in five bytes                      |   5 | 30 .. 't' 8080808001                         | told   81 | 1.5.5
        length not in its shortest form           |   5 | 30 .. 't' 8000                               | told   81 | MQTT-1.5.5-1
        length cut                                |   5 | 30 .. 't' 80                                 | told   81 | 4.13
        number 0                                  |   5 | 30 .. 't' { 00 }                             | told   81 | 2.2.2.2
        number 4                                  |   5 | 30 .. 't' { 04 00 }                          | told   81 | 2.2.2.2
        number 0x2B                               |   5 | 30 .. 't' { 2B 00 }                          | told   81 | 2.2.2.2
        number of two bytes                       |   5 | 30 .. 't' { 8101 00 }                        | told   81 | 2.2.2.2
        number not in its shortest form           |   5 | 30 .. 't' { 8100 00 }                        | told   81 | MQTT-1.5.5-1
        value cut by the length                   |   5 | 30 .. 't' { 02 000000 } 00                   | told   81 | 4.13
        string cut by the length                  |   5 | 30 .. 't' { 03 0003 6161 } 61                | told   81 | 4.13
        no value                                  |   5 | 30 .. 't' { 01 }                             | told   81 | 4.13
        half a user property                      |   5 | 30 .. 't' { 26 'key' }                       | told   81 | 4.13
        NUL in a user property                    |   5 | 30 .. 't' { 26 'key' 0001 00 }               | told   81 | MQTT-1.5.4-2
        surrogate in a content type               |   5 | 30 .. 't' { 03 0003 EDA080 }                 | told   81 | MQTT-1.5.4-1
        payload format 2                          |   5 | 30 .. 't' { 01 02 }                          | told   82 | 2.2.2.2
        receive maximum 0                         |   5 | 10 .. 'MQTT' 05 02 003C { 21 0000 } 'id'     | told   82 | 2.2.2.2
        maximum packet size 0                     |   5 | 10 .. 'MQTT' 05 02 003C { 27 00000000 } 'id' | told   82 | 2.2.2.2
        request problem information 2             |   5 | 10 .. 'MQTT' 05 02 003C { 17 02 } 'id'       | told   82 | 2.2.2.2
        request response information 2            |   5 | 10 .. 'MQTT' 05 02 003C { 19 02 } 'id'       | told   82 | 2.2.2.2
        subscription identifier of five bytes     |   5 | 30 .. 't' { 0B 8080808001 }                  | told   81 | 1.5.5
        subscription identifier 0 to a subscriber |   5 | 30 .. 't' { 0B 00 }                          | told   82 | 2.2.2.2
        ",
    );
}

/// Each row breaks a rule only in another version, or looks broken and is not.
#[test]
fn what_is_allowed_is_accepted() {
    let table = "
        3.1 repeats a SUBSCRIBE                    |   3 | 8A .. 0001 'a' 00
        3.1 repeats an UNSUBSCRIBE                 |   3 | AA .. 0001 'a'
        3.1 repeats a PUBREL                       |   3 | 6A .. 0001
        3.1 minds no flags in CONNECT's first byte |   3 | 1F .. 'MQIsdp' 03 02 003C 'id'
        3.1 minds no reserved flag                 |   3 | 10 .. 'MQIsdp' 03 03 003C 'id'
        3.1 uses no flags of CONNACK               |   3 | 20 .. 01 00
        a bridge marks its version                 |   5 | 10 .. 'MQTT' 84 02 003C 'id'
        a CONNECT brings its version               | 345 | 10 .. 'MQTT' 05 02 003C { } 'id'
        a CONNECT brings its version               | 345 | 10 .. 'MQTT' 04 02 003C ''
        version 5 takes a password alone           |   5 | 10 .. 'MQTT' 05 42 003C { } 'id' 'pw'
        a password is bytes                        |   5 | 10 .. 'MQTT' 04 C2 003C 'id' 'u' 0002 00FF
        a will may be empty                        |   5 | 10 .. 'MQTT' 04 06 003C 'id' 't' ''
        a will's payload is bytes                  |   5 | 10 .. 'MQTT' 04 06 003C 'id' 't' 0002 00FF
        an older server refuses version 5          |   5 | 20 .. 00 01
        a server refuses without properties        |   5 | 20 .. 00 87
        a small device keeps two bytes for a length |  34 | C0 8000
        an empty message                           |  34 | 30 .. 't'
        a message is bytes                         | 345 | 30 .. 't' 00 FF00FE
        a repeated QoS 1                           |  34 | 3A .. 't' 0001
        an alias for the topic                     |   5 | 30 .. '' { 23 0001 }
        several subscription identifiers           |   5 | 30 .. 't' { 0B 01 0B 02 0B 01 }
        a user property twice                      |   5 | 30 .. 't' { 26 'k' 'v' 26 'k' 'v' }
        an empty user property                     |   5 | 30 .. 't' { 26 '' '' }
        a topic with a slash at both ends          |  34 | 30 .. '/a/'
        a topic of one slash                       |  34 | 30 .. '/'
        a topic with a byte order mark             |  34 | 30 .. 0003 EFBBBF
        the long form of success                   |   5 | 40 .. 0001 00
        the longest form of success                |   5 | 40 .. 0001 00 { }
        DISCONNECT with a reason alone             |   5 | E0 .. 04
        AUTH of success                            |   5 | F0 ..
        every option of SUBSCRIBE                  |   5 | 82 .. 0001 { } 'a' 2E
        a filter that only looks shared            |   5 | 82 .. 0001 { } '$shared/a' 04
        ";
    for [name, digits, packet] in rows(table) {
        for version in versions(digits) {
            let bytes = bytes(packet);
            match decode(&bytes, version, u32::MAX) {
                Ok(Some((_, used))) => assert_eq!(used, bytes.len(), "{name}"),
                other => panic!("{name}, {version:?}: {other:?}"),
            }
        }
    }
}

/// A frame whose length is right but whose body ends early is never taken for the whole.
#[test]
fn a_body_that_ends_early_is_refused_wherever_it_ends() {
    use PacketType::{Auth, ConnAck, Connect, Disconnect, PubAck, PubComp, PubRec, PubRel};
    for version in versions("345") {
        for kind in [
            Connect, ConnAck, PubAck, PubRec, PubRel, PubComp, Disconnect, Auth,
        ] {
            let sample = Sample::of(kind, version, &[0xFF; 200]);
            let mut whole = Vec::new();
            sample.packet().encode(version, &mut whole).unwrap();
            let head = whole.len() - body_length(&whole);
            for length in 0..whole.len() - head {
                let mut cut = vec![whole[0]];
                mqtt_proto::VarInt::new(length as u32)
                    .unwrap()
                    .encode(&mut cut);
                cut.extend(&whole[head..head + length]);
                let decoded = decode(&cut, version, u32::MAX);
                // The short forms of version 5 leave out what has a default.
                let short = version.is_v5()
                    && match kind {
                        ConnAck => length == 2,
                        Disconnect => length <= 1,
                        Auth => length == 0,
                        Connect => false,
                        _ => length == 2 || length == 3,
                    };
                assert_eq!(decoded.is_ok(), short, "{kind:?} {version:?} {cut:02x?}");
            }
        }
    }
}

fn body_length(frame: &[u8]) -> usize {
    let end = 1 + frame[1..].iter().position(|byte| byte & 0x80 == 0).unwrap();
    frame.len() - end - 1
}

#[test]
fn a_packet_above_the_maximum_is_refused_by_its_head_alone() {
    let head = bytes("32 8001");
    let error = decode(&head, Version::V5, 130).unwrap_err();
    assert_eq!(
        (answer(error).as_str(), error.clause),
        ("told 95", "MQTT-3.1.2-24")
    );
    assert_eq!(decode(&head, Version::V5, 131), Ok(None));
}

#[test]
fn a_misplaced_property_names_its_rule() {
    check(
        "
        topic alias in CONNECT     | 5 | 10 .. 'MQTT' 05 02 003C { 23 0001 } 'id'             | told 82 | 2.2.2.2
        topic alias in a will      | 5 | 10 .. 'MQTT' 05 06 003C { } 'id' { 23 0001 } 't' 'm' | told 82 | 2.2.2.2
        session expiry in PUBLISH  | 5 | 30 .. 't' { 11 00000001 }                            | told 82 | 2.2.2.2
        topic alias in SUBSCRIBE   | 5 | 82 .. 0001 { 23 0001 } 'a' 00                        | told 81 | 2.2.2.2
        topic alias in UNSUBSCRIBE | 5 | A2 .. 0001 { 23 0001 } 'a'                           | told 81 | 2.2.2.2
        topic alias in DISCONNECT  | 5 | E0 .. 00 { 23 0001 }                                 | told 82 | 2.2.2.2
        ",
    );
}
