//! Places in topics and identifiers that are filled in for each client: `%i`, `%c`, `%u`, `%n`.

/// What there is to fill in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fill<'a> {
    /// `%i`: the number of the client, from 0.
    pub index: usize,
    /// `%c`: its client identifier.
    pub client_id: &'a str,
    /// `%u`: its user name.
    pub username: &'a str,
}

/// Fills in a text; `topic` stands for `%n`, the number of the topic. `%%` is one percent sign, and
/// any other letter behind one stays as it is.
pub fn fill(text: &str, with: Fill<'_>, topic: &str) -> String {
    let mut filled = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('%') {
        filled.push_str(before);
        let mut letters = behind.chars();
        match letters.next() {
            Some('i') => filled.push_str(&with.index.to_string()),
            Some('c') => filled.push_str(with.client_id),
            Some('u') => filled.push_str(with.username),
            Some('n') => filled.push_str(topic),
            Some('%') => filled.push('%'),
            Some(other) => filled.extend(['%', other]),
            None => filled.push('%'),
        }
        rest = letters.as_str();
    }
    filled.push_str(rest);
    filled
}

/// The filter that hears all topics of a text: `+` for what is filled in.
pub fn filter(text: &str) -> String {
    let level = |level: &str| {
        let plain = fill(level, Fill::default(), "");
        let differs = ["%i", "%c", "%u", "%n"].iter().any(|it| level.contains(it));
        if differs { "+".to_owned() } else { plain }
    };
    text.split('/').map(level).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_in() {
        let with = Fill {
            index: 7,
            client_id: "bench-7",
            username: "maria",
        };
        for (text, expected) in [
            ("bench/%i", "bench/7"),
            ("%u/%c/%n", "maria/bench-7/3"),
            ("100%%/%x/%", "100%/%x/%"),
            ("plain", "plain"),
        ] {
            assert_eq!(fill(text, with, "3"), expected);
        }
    }

    #[test]
    fn a_filter_hears_all_of_them() {
        for (text, expected) in [
            ("bench/%i", "bench/+"),
            ("a%i/b/%n", "+/b/+"),
            ("50%%/x", "50%/x"),
        ] {
            assert_eq!(filter(text), expected);
        }
    }
}
