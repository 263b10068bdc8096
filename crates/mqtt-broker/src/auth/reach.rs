//! What two filters have in common, and whether one takes in all of another.

use mqtt_proto::{Filter, Topic};

/// The filter of all topics that both filters match; `None` if there are none.
pub(super) fn intersection(a: &Filter, b: &Filter) -> Option<Box<Filter>> {
    let mut levels = Vec::new();
    let (mut left, mut right) = (a.levels(), b.levels());
    loop {
        match (left.next(), right.next()) {
            (None, None) => break,
            // `#` is also no level at all, so it leaves what the other has left.
            (Some("#"), rest) => {
                levels.extend(rest.into_iter().chain(right));
                break;
            }
            (rest, Some("#")) => {
                levels.extend(rest.into_iter().chain(left));
                break;
            }
            (Some("+"), Some(level)) | (Some(level), Some("+")) => levels.push(level),
            (Some(level), Some(other)) if level == other => levels.push(level),
            _ => return None,
        }
    }
    // A first wildcard never matches a topic that begins with `$` [MQTT-4.7.2-1].
    let begins_wild = |filter: &Filter| filter.starts_with(['+', '#']);
    if levels.first().is_some_and(|first| first.starts_with('$'))
        && (begins_wild(a) || begins_wild(b))
    {
        return None;
    }
    Filter::parse(&levels.join("/")).ok().map(Box::from)
}

/// Whether `wide` matches every topic that `narrow` matches.
///
/// Asked of a few topics that stand for all: each wildcard becomes a level that `wide` cannot
/// name, and `#` becomes none, one and two of them. Whoever matches topics of different lengths
/// does so by a `#` of its own, and then matches them at any length.
pub(super) fn covers(wide: &Filter, narrow: &Filter) -> bool {
    let unnamed = "x".repeat(wide.len() + 1);
    let levels: Vec<&str> = narrow
        .levels()
        .filter(|level| *level != "#")
        .map(|level| if level == "+" { &*unnamed } else { level })
        .collect();
    let matches = |extra: usize| {
        let levels = levels.iter().copied();
        let topic: Vec<&str> = levels
            .chain(std::iter::repeat_n(&*unnamed, extra))
            .collect();
        Topic::parse(&topic.join("/")).is_ok_and(|topic| wide.matches(topic))
    };
    if !narrow.ends_with('#') {
        return matches(0);
    }
    (levels.is_empty() || matches(0)) && matches(1) && matches(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> &Filter {
        Filter::parse(text).expect("a filter")
    }

    /// All filters of up to three levels over a small alphabet, or all topics.
    fn all(alphabet: &[&str]) -> Vec<String> {
        let mut found: Vec<String> = alphabet.iter().map(|&level| level.into()).collect();
        let mut begin = 0;
        for _ in 0..2 {
            let end = found.len();
            for at in begin..end {
                for level in alphabet {
                    found.push(format!("{}/{level}", found[at]));
                }
            }
            begin = end;
        }
        found
    }

    #[test]
    fn they_agree_with_the_topics_of_up_to_three_levels() {
        let filters: Vec<_> = all(&["a", "$s", "+", "#"])
            .into_iter()
            .filter(|text| Filter::parse(text).is_ok())
            .collect();
        // One level more than filters name, and a name that no filter has.
        let topics = all(&["a", "$s", "b"]);
        let topics: Vec<_> = topics
            .iter()
            .flat_map(|topic| [topic.clone(), format!("{topic}/b")])
            .collect();
        let topics: Vec<_> = topics
            .iter()
            .map(|text| Topic::parse(text).expect("a topic"))
            .collect();
        for a in filters.iter().map(|text| filter(text)) {
            for b in filters.iter().map(|text| filter(text)) {
                let common = intersection(a, b);
                let covered = covers(a, b);
                for topic in topics.iter().filter(|topic| b.matches(topic)) {
                    let in_common = common.as_ref().is_some_and(|common| common.matches(topic));
                    assert_eq!(in_common, a.matches(topic), "{a} and {b}: {topic}");
                    assert!(!covered || a.matches(topic), "{a} covers {b}: {topic}");
                }
                let all_match = topics
                    .iter()
                    .all(|topic| !b.matches(topic) || a.matches(topic));
                assert_eq!(covered, all_match, "{a} covers {b}");
            }
        }
    }
}
