//! Headers, right and wrong, and cut.

use super::*;

fn v1(line: &str) -> Result<Brought, ProxyHeaderError> {
    parse_proxy_header(ProxyVersion::V1, line.as_bytes())
}

fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([0x20 | command, family]);
    bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn extra(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

const V4: &[u8] = &[192, 0, 2, 5, 127, 0, 0, 1, 0x18, 0x83, 0x07, 0x5b];

fn client(address: &str, port: u16) -> ProxiedClient {
    let address = address.into();
    ProxiedClient {
        address,
        port,
        tls: None,
    }
}

#[test]
fn a_line_of_version_1_names_the_client() {
    for (line, expected) in [
        (
            "PROXY TCP4 192.0.2.5 127.0.0.1 6275 1883\r\n",
            Brought::Client(client("192.0.2.5", 6275)),
        ),
        (
            "PROXY TCP6 2001:db8::5 ::1 6275 1883\r\n",
            Brought::Client(client("2001:db8::5", 6275)),
        ),
        ("PROXY UNKNOWN\r\n", Brought::Unknown),
        ("PROXY UNKNOWN ff ff 1 2\r\n", Brought::Unknown),
    ] {
        assert_eq!(v1(line).unwrap(), expected, "{line}");
    }
}

#[test]
fn a_line_that_is_not_quite_one_is_corrupt() {
    for line in [
        "PROXY TCP3 192.0.2.5 127.0.0.1 6275 1883\r\n",
        "PROXY TCP4 192.0.2.5 127.0.0.1 6275\r\n",
        "PROXY TCP4 192.0.2.5 127.0.0.1 6275 1883 5\r\n",
        "PROXY TCP4 192.0.2.5 127.0.0.1 6275 1883 \r\n",
        "PROXY TCP4  192.0.2.5 127.0.0.1 6275 1883\r\n",
        "PROXY TCP4 192.0.2.256 127.0.0.1 6275 1883\r\n",
        "PROXY TCP4 ::1 ::1 6275 1883\r\n",
        "PROXY TCP6 192.0.2.5 127.0.0.1 6275 1883\r\n",
        "PROXY TCP4 192.0.2.5 127.0.0.1 0 1883\r\n",
        "PROXY TCP4 192.0.2.5 127.0.0.1 +6 1883\r\n",
        "PROXY TCP4 192.0.2.5 127.0.0.1 65536 1883\r\n",
        "PROXY TCP4 192.0.2.5 127.0.0.1 6275 1883\n",
        "proxy TCP4 192.0.2.5 127.0.0.1 6275 1883\r\n",
        "\r\n",
        "",
    ] {
        assert!(matches!(v1(line), Err(ProxyHeaderError::Corrupt)), "{line}");
    }
}

#[test]
fn version_2_names_clients_of_all_families() {
    let mut v6 = vec![0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
    v6.extend([0; 16]);
    v6.extend([0x18, 0x83, 0, 0]);
    let mut unix = b"/run/client".to_vec();
    unix.resize(216, 0);
    for (family, body, expected) in [
        (0x11, V4.to_vec(), client("192.0.2.5", 6275)),
        (0x21, v6, client("2001:db8::5", 6275)),
        (0x31, unix, client("/run/client", 0)),
        (0x31, b"/path".to_vec(), client("/path", 0)),
    ] {
        let parsed = parse_proxy_header(ProxyVersion::V2, &v2(1, family, &body)).unwrap();
        assert_eq!(parsed, Brought::Client(expected));
    }
    let local = parse_proxy_header(ProxyVersion::V2, &v2(0, 0, &[])).unwrap();
    assert_eq!(local, Brought::Nobody);
}

#[test]
fn version_2_tells_what_tls_has_shown() {
    for (bits, verify, has_certificate, name) in [
        (0x05, 0, true, Some("alice")),
        (0x05, 1, false, None),
        (0x01, 0, false, None),
    ] {
        let mut tls = vec![bits, 0, 0, 0, verify];
        tls.extend(extra(0x21, b"TLSv1.3"));
        tls.extend(extra(0x22, b"alice"));
        tls.extend(extra(0x23, b"cipher"));
        let body = [V4, &extra(0x04, &[0; 9]), &extra(0x20, &tls)].concat();
        let parsed = parse_proxy_header(ProxyVersion::V2, &v2(1, 0x11, &body)).unwrap();
        let expected = ProxiedTls {
            has_certificate,
            version: Some("TLSv1.3".into()),
            cipher: Some("cipher".into()),
            common_name: name.map(Into::into),
        };
        let expected = ProxiedClient {
            tls: Some(expected),
            ..client("192.0.2.5", 6275)
        };
        assert_eq!(parsed, Brought::Client(expected));
    }
}

#[test]
fn a_header_of_version_2_that_is_not_quite_one_is_refused() {
    let mut bad_signature = v2(1, 0x11, V4);
    bad_signature[11] += 1;
    let mut bad_version = v2(1, 0x11, V4);
    bad_version[12] = 0x31;
    let longer = |value: &[u8], by: u8| {
        let mut bytes = extra(0x20, value);
        bytes[2] += by;
        [V4, &bytes].concat()
    };
    let inner = [&[1, 0, 0, 0, 0][..], &[0x21, 0, 9, b'T']].concat();
    for (bytes, is_of_client) in [
        (bad_signature, false),
        (bad_version, false),
        (v2(3, 0x11, V4), false),
        (v2(1, 0x00, V4), false),
        (v2(1, 0x12, V4), false),
        (v2(1, 0x11, &V4[1..]), false),
        (v2(1, 0x11, &[]), false),
        (v2(1, 0x21, V4), false),
        (v2(1, 0x31, &[]), false),
        (v2(1, 0x11, &longer(&[1, 0, 0, 0, 0], 1)), true),
        (v2(1, 0x11, &[V4, &extra(0x20, &[1])].concat()), true),
        (v2(1, 0x11, &[V4, &extra(0x20, &inner)].concat()), true),
        (v2(1, 0x11, &[V4, &[0x20, 0]].concat()), true),
    ] {
        let error = parse_proxy_header(ProxyVersion::V2, &bytes).unwrap_err();
        let fits = match &error {
            ProxyHeaderError::Corrupt => !is_of_client,
            ProxyHeaderError::CorruptOf(of) => is_of_client && of.address == "192.0.2.5",
            _ => false,
        };
        assert!(fits, "{bytes:?}: {error:?}");
    }
    let long = parse_proxy_header(ProxyVersion::V2, &v2(1, 0x11, &[b'a'; 501]));
    assert!(matches!(long, Err(ProxyHeaderError::TooLong)));
}

#[tokio::test]
async fn nothing_is_read_behind_the_header() {
    let line = b"PROXY TCP4 192.0.2.5 127.0.0.1 6275 1883\r\n".to_vec();
    for (version, header) in [
        (ProxyVersion::V1, line),
        (ProxyVersion::V2, v2(1, 0x11, V4)),
    ] {
        let bytes = [&header[..], b"rest"].concat();
        let mut stream = &bytes[..];
        read_proxy_header(&mut stream, version).await.unwrap();
        assert_eq!(stream, b"rest");
        for cut in 0..header.len() {
            let error = read_proxy_header(&mut &header[..cut], version).await;
            assert!(
                matches!(error, Err(ProxyHeaderError::Io(_))),
                "cut at {cut}"
            );
        }
    }
}

#[tokio::test]
async fn a_line_without_end_is_given_up_early() {
    let endless = [b'a'; 1000];
    let mut stream = &endless[..];
    let error = read_proxy_header(&mut stream, ProxyVersion::V1).await;
    assert!(matches!(error, Err(ProxyHeaderError::Corrupt)));
    assert_eq!(stream.len(), 1000 - v1::LONGEST);
}
