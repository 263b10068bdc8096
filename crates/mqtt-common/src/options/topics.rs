//! Topics with the QoS that was asked for each: `-t a -q 0 -t b -q 2`.

use mqtt_proto::QoS;

use super::way;
use crate::flags::{Given, Said, UsageError};
use crate::value;

/// All topics of `-t` and `-L` in order, as `parse` understands them, with their QoS.
///
/// One `-q` counts for all topics. Of several, each counts for the topics between the one before and
/// itself, and the last one also for those behind it. Those of an options file only count if there is
/// none on the command line.
///
/// # Errors
/// A topic or a QoS is none.
pub fn topics<T>(
    said: &Said,
    parse: impl Fn(&str) -> Result<T, UsageError>,
) -> Result<Vec<(T, QoS)>, UsageError> {
    let typed = said.all("qos").any(Given::is_typed);
    let mut topics: Vec<(T, Option<QoS>)> = Vec::new();
    let mut last = QoS::default();
    for given in said.in_order() {
        match given.long {
            "url" => {
                let path = given.meaning(way::url)?.path;
                if !path.is_empty() {
                    let topic = parse(&path).map_err(|error| given.locate(error))?;
                    topics.push((topic, None));
                }
            }
            "topic" => topics.push((given.meaning(|_, text| parse(text))?, None)),
            "qos" => {
                let qos = given.meaning(value::qos)?;
                if given.is_typed() || !typed {
                    last = qos;
                    let open = topics.iter_mut().filter(|(_, known)| known.is_none());
                    open.for_each(|(_, known)| *known = Some(qos));
                }
            }
            _ => {}
        }
    }
    Ok(topics
        .into_iter()
        .map(|(topic, qos)| (topic, qos.unwrap_or(last)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::table::Program;
    use crate::flags::{Parsed, parse};

    #[track_caller]
    fn check(line: &str, expected: &[(&str, u8)]) {
        let argv = std::iter::once("x").chain(line.split(' ')).map(Into::into);
        let Ok(Parsed::Said(said)) = parse(Program::Sub, argv) else {
            panic!("{line} was not understood")
        };
        let found = topics(&said, |text| Ok(text.to_owned())).unwrap();
        let found: Vec<_> = found.iter().map(|(t, q)| (t.as_str(), *q as u8)).collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn one_qos_counts_for_all_and_several_for_the_topics_in_front_of_them() {
        check("-t a -t b", &[("a", 0), ("b", 0)]);
        check("-t a -t b -q 1", &[("a", 1), ("b", 1)]);
        check("-q 1 -t a -t b", &[("a", 1), ("b", 1)]);
        check("-t a -q 0 -t b -q 2", &[("a", 0), ("b", 2)]);
        check(
            "-t a -t b -q 1 -t c -q 2 -t d",
            &[("a", 1), ("b", 1), ("c", 2), ("d", 2)],
        );
    }
}
