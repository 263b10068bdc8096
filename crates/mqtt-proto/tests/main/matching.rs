//! Matching, over every filter and topic up to three levels of a small alphabet.

use crate::targets::naive_matches;
use mqtt_proto::{Filter, Topic};

/// All names of one to three levels.
fn names(levels: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    let mut longest: Vec<String> = levels.iter().map(|&level| level.to_owned()).collect();
    for _ in 0..3 {
        all.extend(longest.iter().cloned());
        longest = longest
            .iter()
            .flat_map(|front| levels.iter().map(move |level| format!("{front}/{level}")))
            .collect();
    }
    all
}

#[test]
fn every_small_filter_matches_every_small_topic_as_the_naive_matcher_says() {
    let topics = names(&["", "a", "b", "$a"]);
    let filters = names(&["", "a", "b", "$a", "+", "#"]);
    let (mut pairs, mut matches) = (0, 0);
    for filter in &filters {
        let Ok(filter) = Filter::parse(filter) else {
            assert!(filter.is_empty() || filter.contains("#/"), "{filter:?}");
            continue;
        };
        for topic in &topics {
            let Ok(topic) = Topic::parse(topic) else {
                assert_eq!(topic, "");
                continue;
            };
            let expected = naive_matches(filter.as_str(), topic.as_str());
            assert_eq!(filter.matches(topic), expected, "{filter} on {topic}");
            pairs += 1;
            matches += u32::from(expected);
        }
    }
    // Both answers must have been asked for often, or the alphabet is a poor one.
    assert!(pairs > 15_000 && matches > 900, "{matches} of {pairs}");
}
