//! Packets written as text, so that a table of them can be read.

/// The bytes that `text` stands for.
///
/// Words are separated by spaces: hexadecimal digits are bytes, `'text'` is a string with its two
/// bytes of length, `..` is the remaining length of all that follows, and `{` ... `}` are
/// properties with their length in front.
pub fn bytes(text: &str) -> Vec<u8> {
    let mut words = text.split_whitespace();
    let bytes = until(&mut words, None);
    assert_eq!(words.next(), None, "an unpaired brace in {text}");
    bytes
}

fn until<'a>(words: &mut impl Iterator<Item = &'a str>, end: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(word) = words.next() {
        if Some(word) == end {
            return out;
        }
        match word {
            "}" => panic!("an unpaired brace"),
            ".." => {
                let body = until(words, end);
                put_length(&mut out, body.len());
                out.extend(body);
                return out;
            }
            "{" => {
                let inner = until(words, Some("}"));
                put_length(&mut out, inner.len());
                out.extend(inner);
            }
            _ => match word.strip_prefix('\'') {
                Some(rest) => {
                    let string = rest.strip_suffix('\'').expect("a string ends with a quote");
                    out.extend((string.len() as u16).to_be_bytes());
                    out.extend(string.bytes());
                }
                None => out.extend(hex(word)),
            },
        }
    }
    assert_eq!(end, None, "an unpaired brace");
    out
}

fn hex(word: &str) -> impl Iterator<Item = u8> {
    assert!(
        word.len().is_multiple_of(2),
        "{word} is half a byte too long"
    );
    (0..word.len() / 2).map(move |at| {
        u8::from_str_radix(&word[2 * at..2 * at + 2], 16)
            .unwrap_or_else(|_| panic!("{word} is not hexadecimal"))
    })
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    mqtt_proto::VarInt::new(length as u32).unwrap().encode(out);
}

#[test]
fn the_notation_writes_what_it_says() {
    assert_eq!(
        bytes("30 .. 'a/b' { 02 00000007 } FF"),
        b"\x30\x0C\x00\x03a/b\x05\x02\x00\x00\x00\x07\xFF"
    );
    assert_eq!(bytes("C0 .."), [0xC0, 0]);
}
