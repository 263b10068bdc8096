//! What the flags of mqtt-bench mean.

use std::path::PathBuf;
use std::time::Duration;

use mqtt_common::flags::{Said, UsageError};
use mqtt_common::options::Common;
use mqtt_common::value;
use mqtt_proto::{Filter, QoS, Topic};

use crate::compare::Comparison;
use crate::load::stamp;
use crate::names;
use crate::plan::{Hearing, Plan};
use crate::report::Form;
use crate::simulate::Simulation;

/// How long a run lasts if nobody says otherwise.
const DURATION: Duration = Duration::from_secs(10);
/// Messages of one publisher on their way at once, by QoS. Mosquitto, as it is shipped, takes 20 at QoS 2
/// and ends the connection of a client below version 5 that sends more.
const WINDOWS: [u64; 3] = [1000, 100, 20];
/// Bytes of one publisher on their way at once, at QoS 0.
const WINDOW_BYTES: u64 = 4 * 1024 * 1024;
/// Retained and offline messages, unless `-n` says otherwise.
const STORED: u64 = 10_000;
const WAIT: Duration = Duration::from_secs(5);
const SIZE: usize = 64;
/// The load test of MQTTBox, as it is when nothing is changed.
const BOX_CLIENTS: usize = 2;
const BOX_MESSAGES: u64 = 20;
const BOX_DURATION: Duration = Duration::from_secs(5);
const BOX_WAIT: Duration = Duration::from_secs(30);

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// One run, as planned.
    Load,
    /// Connections, held or opened and closed.
    Connections,
    /// Retained messages for a new subscriber.
    Retained,
    /// Messages for a subscriber that was away.
    Offline,
    /// The same with several brokers.
    Compare,
    /// Devices for an exercise.
    Simulate,
}

/// Everything that mqtt-bench was asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The command's name.
    pub command: &'static str,
    /// What it does.
    pub task: Task,
    /// The run.
    pub plan: Plan,
    /// What is compared, if that is the task.
    pub comparison: Option<Comparison>,
    /// What is simulated, if that is the task.
    pub simulation: Option<Simulation>,
    /// How the result is printed.
    pub form: Form,
    /// Where to draw it.
    pub plot: Option<PathBuf>,
    /// Whether nothing is to be said but the result.
    pub quiet: bool,
}

impl Options {
    /// Judges what was said.
    ///
    /// # Errors
    /// A value means nothing, or does not go with the command.
    pub fn new(said: &Said) -> Result<Options, UsageError> {
        let command = said
            .called
            .as_ref()
            .map_or("", |called| called.command.name);
        let task = match command {
            "conn" => Task::Connections,
            "retained" => Task::Retained,
            "offline" => Task::Offline,
            "compare" => Task::Compare,
            "simulate" => Task::Simulate,
            _ => Task::Load,
        };
        let mut plan = plan(said)?;
        shape(&mut plan, said, command)?;
        limits(&mut plan, said, task)?;
        topics(&mut plan, said, command)?;
        Ok(Options {
            command,
            task,
            plan,
            comparison: (task == Task::Compare)
                .then(|| Comparison::new(said))
                .transpose()?,
            simulation: (task == Task::Simulate)
                .then(|| Simulation::new(said))
                .transpose()?,
            form: form(said)?,
            plot: said.path("plot").map(PathBuf::from),
            quiet: said.has("quiet"),
        })
    }
}

/// How the result is to be printed: the last one that was said counts.
fn form(said: &Said) -> Result<Form, UsageError> {
    if said.has("plot")
        && said
            .called
            .as_ref()
            .is_some_and(|it| it.command.name == "compare")
    {
        return Err(
            UsageError::new("--plot draws one run, and compare does many")
                .hint("Take --csv, and draw what you like of it."),
        );
    }
    Ok(match (said.position("json"), said.position("csv")) {
        (None, None) => Form::Text,
        (json, csv) if json > csv => Form::Json,
        _ => Form::Csv,
    })
}

/// Everything that does not depend on the command.
fn plan(said: &Said) -> Result<Plan, UsageError> {
    let common = Common::new(said)?;
    let mut run = [0; 2];
    getrandom::fill(&mut run)
        .map_err(|error| UsageError::new(format!("The system gives no random numbers: {error}")))?;
    let qos = said.meaning("qos", value::qos)?.unwrap_or_default();
    let size = said.meaning("size", size)?.unwrap_or(SIZE);
    let id = match (said.text("id")?, said.text("id-prefix")?) {
        (Some(id), _) => Some(id.to_owned()),
        (None, Some(prefix)) => Some(format!("{prefix}%i")),
        (None, None) => None,
    };
    Ok(Plan {
        common,
        sources: sources(said)?,
        run: u16::from_be_bytes(run),
        publishers: 0,
        subscribers: 0,
        hearing: Hearing::All,
        topic: String::new(),
        id,
        topics: said.meaning("topics", value::count)?.unwrap_or(1),
        qos,
        subscribe_qos: said.meaning("subscribe-qos", value::qos)?.unwrap_or(qos),
        retain: said.has("retain"),
        size,
        template: said.text("payload")?.map(str::to_owned),
        messages: said.meaning("messages", value::count)?,
        duration: said.meaning("duration", value::duration)?,
        rate: said.meaning("rate", rate)?,
        connect_rate: said.meaning("connect-rate", rate)?,
        window: None,
        wait: said.meaning("wait", value::duration)?.unwrap_or(WAIT),
        subscribes: true,
        times_opening: false,
    })
}

/// Who publishes, and who hears whom.
fn shape(plan: &mut Plan, said: &Said, command: &str) -> Result<(), UsageError> {
    let number = |flag: &str| {
        let count = said.meaning(flag, value::count)?;
        Ok::<_, UsageError>(count.map(|count| usize::try_from(count).unwrap_or(usize::MAX)))
    };
    let clients = number("clients")?.unwrap_or(1);
    let one = |flag: &str| Ok::<_, UsageError>(number(flag)?.unwrap_or(1));
    (plan.publishers, plan.subscribers) = match command {
        "pub" => (clients, 0),
        "box" => (
            number("clients")?.unwrap_or(BOX_CLIENTS),
            number("clients")?.unwrap_or(BOX_CLIENTS),
        ),
        "sub" | "conn" => (0, clients),
        "fan-in" => (clients, one("subscribers")?),
        "fan-out" => (one("publishers")?, clients),
        _ => (clients, clients),
    };
    if matches!(command, "pair" | "latency" | "offline" | "box") {
        plan.hearing = Hearing::Partner;
    }
    for (flag, its) in [("publishers", "fan-out"), ("subscribers", "fan-in")] {
        if said.has(flag) && command != its {
            return Err(UsageError::new(format!("--{flag} belongs to {its}"))
                .hint(format!("How many clients {command} has says -c.")));
        }
    }
    Ok(())
}

/// How much, how fast, until when.
fn limits(plan: &mut Plan, said: &Said, task: Task) -> Result<(), UsageError> {
    if said
        .called
        .as_ref()
        .is_some_and(|it| it.command.name == "box")
    {
        if !said.has("qos") {
            plan.qos = QoS::AtLeastOnce;
            plan.subscribe_qos = said
                .meaning("subscribe-qos", value::qos)?
                .unwrap_or(plan.qos);
        }
        plan.messages
            .get_or_insert(BOX_MESSAGES * plan.publishers as u64);
        plan.duration.get_or_insert(BOX_DURATION);
        if !said.has("wait") {
            plan.wait = BOX_WAIT;
        }
    }
    if task == Task::Offline && !said.has("qos") {
        plan.qos = QoS::AtLeastOnce;
        plan.subscribe_qos = plan.qos;
    }
    if task == Task::Offline && plan.qos == QoS::AtMostOnce {
        return Err(UsageError::new(
            "A broker keeps nothing at QoS 0 for a subscriber that is away",
        )
        .hint("Type -q 1 or -q 2."));
    }
    let is_at_once = said
        .called
        .as_ref()
        .is_some_and(|it| it.command.name == "latency");
    let asked = match said.last("window").or_else(|| said.last("max-inflight")) {
        Some(given) => Some(given.meaning(number)?),
        None => None,
    };
    plan.window = match (asked, plan.qos) {
        (Some(0), _) => None,
        (Some(window), _) => Some(window),
        (None, _) if is_at_once => Some(1),
        (None, qos) => Some(window(qos, plan.size)),
    };
    if !plan.is_marked() {
        // Nobody can tell whose message has come.
        plan.window = plan.window.filter(|_| plan.qos != QoS::AtMostOnce);
    }
    match task {
        Task::Load if plan.messages.is_none() && plan.duration.is_none() => {
            // Who only hears does so until Ctrl-C.
            plan.duration = (plan.publishers > 0).then_some(DURATION);
        }
        Task::Retained | Task::Offline => {
            plan.messages.get_or_insert(STORED);
        }
        _ => {}
    }
    Ok(())
}

fn topics(plan: &mut Plan, said: &Said, command: &str) -> Result<(), UsageError> {
    let is_stored = command == "retained";
    let default = match command {
        "sub" => "bench/#",
        _ if plan.topics > 1 || is_stored => "bench/%i/%n",
        _ => "bench/%i",
    };
    plan.topic = said.text("topic")?.unwrap_or(default).to_owned();
    if plan.topics > 1 && !plan.topic.contains("%n") {
        return Err(UsageError::new(format!(
            "'{}' is one topic, and --topics asks for {}",
            plan.topic, plan.topics
        ))
        .hint("Put %n where the number of the topic is to stand: -t bench/%i/%n"));
    }
    if plan.publishers == 0 {
        let filter = names::filter(&plan.topic);
        value::filter("subscription", &filter)?;
        debug_assert!(Filter::parse(&filter).is_ok());
    } else {
        let topic = plan.topics_of(0);
        topic.map(|_| ()).map_err(|error| {
            UsageError::new(format!("Invalid topic '{}': {error}", plan.topic))
                .hint("Publishing needs one full topic; '+' and '#' are for subscribing.")
        })?;
        debug_assert!(Topic::parse("bench").is_ok());
    }
    Ok(())
}

/// How many messages of one publisher are on their way at once, if nothing else is said.
pub fn window(qos: QoS, size: usize) -> u64 {
    let most = WINDOWS[qos as usize];
    match qos {
        QoS::AtMostOnce => most.min(WINDOW_BYTES / size.max(1) as u64).max(4),
        _ => most,
    }
}

fn number(flag: &str, text: &str) -> Result<u64, UsageError> {
    text.parse().map_err(|_| {
        UsageError::new(format!("{flag} needs a number, and got '{text}'"))
            .hint(format!("Type for example: {flag} 100"))
    })
}

/// A number a second, above 0.
fn rate(flag: &str, text: &str) -> Result<f64, UsageError> {
    let rate = text
        .parse()
        .ok()
        .filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| {
        UsageError::new(format!("{flag} needs a number above 0, and got '{text}'"))
            .hint(format!("Type how many a second: {flag} 1000"))
    })
}

/// A size in bytes: a number, or one with `k`, `KiB`, `MiB`, `M`.
fn size(flag: &str, text: &str) -> Result<usize, UsageError> {
    let lower = text.trim().to_ascii_lowercase();
    let end = lower
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(lower.len());
    let (digits, unit) = lower.split_at(end);
    let factor = match unit.trim() {
        "" | "b" | "bytes" => Some(1),
        "k" | "kb" | "kib" => Some(1024),
        "m" | "mb" | "mib" => Some(1024 * 1024),
        _ => None,
    };
    let bytes = digits
        .parse::<usize>()
        .ok()
        .zip(factor)
        .and_then(|(n, f)| n.checked_mul(f));
    match bytes {
        Some(bytes) if bytes < stamp::SIZE => Err(UsageError::new(format!(
            "{flag} {text} is too small: what tells messages apart takes {} bytes",
            stamp::SIZE
        ))
        .hint(format!("Type at least: {flag} {}", stamp::SIZE))),
        Some(bytes) if bytes <= mqtt_proto::MAX_REMAINING_LENGTH as usize - 0x2_0000 => Ok(bytes),
        Some(_) => Err(UsageError::new(format!(
            "{flag} {text} is more than MQTT can carry in one message"
        ))
        .hint(format!("The most is about 255 MiB: {flag} 1MiB"))),
        None => Err(
            UsageError::new(format!("{flag} needs a size, and '{text}' is none")).hint(format!(
                "Type bytes, or a unit: {flag} 64, {flag} 4k, {flag} 1MiB"
            )),
        ),
    }
}

/// The addresses of `-A`: separated by commas, the last number perhaps a range.
pub fn sources(said: &Said) -> Result<Vec<String>, UsageError> {
    let mut all = Vec::new();
    for given in said.all("bind-address") {
        for one in given
            .text()?
            .split(',')
            .map(str::trim)
            .filter(|it| !it.is_empty())
        {
            match range(one) {
                Some(addresses) => all.extend(addresses),
                None => all.push(one.to_owned()),
            }
        }
    }
    Ok(all)
}

/// `127.0.0.2-9`.
fn range(text: &str) -> Option<Vec<String>> {
    let (front, last) = text.rsplit_once('.')?;
    let (from, to) = last.split_once('-')?;
    let (from, to) = (from.parse::<u8>().ok()?, to.parse::<u8>().ok()?);
    Some((from..=to).map(|n| format!("{front}.{n}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_common::flags::table::Program;
    use mqtt_common::flags::{Parsed, parse};

    fn options(line: &str) -> Result<Options, UsageError> {
        let argv = std::iter::once("x")
            .chain(line.split_whitespace())
            .map(Into::into);
        match parse(Program::Bench, argv)? {
            Parsed::Said(said) => Options::new(&said),
            Parsed::Text(text) => panic!("got a text: {text}"),
        }
    }

    #[track_caller]
    fn check_error(line: &str, expected: &str) {
        let error = options(line).unwrap_err().to_string();
        assert!(error.contains(expected), "'{expected}' in '{error}'");
    }

    #[test]
    fn commands_say_who_publishes_and_who_hears() {
        for (line, publishers, subscribers) in [
            ("pub -c 3", 3, 0),
            ("sub -c 3", 0, 3),
            ("pair -c 3", 3, 3),
            ("fan-in -c 50", 50, 1),
            ("fan-in -c 50 --subscribers 2", 50, 2),
            ("fan-out -c 500", 1, 500),
            ("fan-out -c 5 --publishers 2", 2, 5),
            ("latency", 1, 1),
            ("conn -c 7", 0, 7),
        ] {
            let plan = options(line).unwrap().plan;
            assert_eq!(
                (plan.publishers, plan.subscribers),
                (publishers, subscribers),
                "{line}"
            );
        }
        check_error("pair --subscribers 2", "--subscribers belongs to fan-in");
        check_error("", "The command is missing");
    }

    #[test]
    fn the_window_depends_on_the_qos() {
        for (line, window) in [
            ("pair", Some(1000)),
            ("pair -q 1", Some(100)),
            ("pair -q 2", Some(20)),
            ("pair -q 2 --window 5", Some(5)),
            ("pair -q 1 -M 7", Some(7)),
            ("pub --window 0", None),
            ("latency -q 1", Some(1)),
        ] {
            assert_eq!(options(line).unwrap().plan.window, window, "{line}");
        }
    }

    #[test]
    fn sizes_rates_and_times_have_units_and_limits() {
        for (text, bytes) in [("24", 24), ("64", 64), ("4k", 4096), ("1MiB", 1_048_576)] {
            assert_eq!(size("-s", text).unwrap(), bytes);
        }
        check_error("pub -s 23", "too small");
        check_error("pub -s many", "needs a size");
        check_error("pub -s 256M", "more than MQTT can carry");
        check_error("pub --rate 0", "--rate needs a number above 0");
        check_error(
            "pub --connect-rate x",
            "--connect-rate needs a number above 0",
        );
        check_error("pub -n 0", "-n needs a number of at least 1");
        check_error("pub --duration soon", "--duration needs a time");
        check_error("pub --wait soon", "--wait needs a time");
        check_error("pub -c none", "-c needs a number of at least 1");
    }

    #[test]
    fn topics_are_checked_once_they_are_filled_in() {
        assert_eq!(options("pub").unwrap().plan.topic, "bench/%i");
        assert_eq!(options("pub --topics 3").unwrap().plan.topic, "bench/%i/%n");
        check_error("pub -t a/+", "Invalid topic 'a/+'");
        check_error("pub -t a --topics 2", "Put %n where");
        assert!(options("sub -t a/+/#").is_ok());
        check_error("sub -t a#", "Invalid subscription topic 'a#'");
        check_error("offline -q 0", "keeps nothing at QoS 0");
    }

    #[test]
    fn several_addresses_can_be_connected_from() {
        let plan = options("conn -A 127.0.0.2-4,127.0.0.9 -A ::1")
            .unwrap()
            .plan;
        let expected = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.9", "::1"];
        assert_eq!(plan.sources, expected);
        assert_eq!(plan.way(5).local.as_deref(), Some("127.0.0.2"));
    }

    #[test]
    fn clients_have_names_of_their_own() {
        use crate::plan::Role::{Publisher, Subscriber};
        let plan = options("pair -c 2 -i dev-%i -u user%i").unwrap().plan;
        let name = |role| plan.hello(role).id;
        assert_eq!(name(Publisher(1)), "dev-1");
        assert_eq!(name(Subscriber(1)), "dev-1-sub");
        assert_eq!(plan.hello(Publisher(1)).username.as_deref(), Some("user1"));
        let plan = options("pub -I x- --subscribe-qos 1").unwrap().plan;
        assert_eq!(plan.hello(Publisher(4)).id, "x-4");
    }
}
