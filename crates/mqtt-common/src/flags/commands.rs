//! The word behind the program's name, where a program has several things to do.

use std::ffi::OsString;

use super::UsageError;
use super::table::Program;

/// One thing that a program can do.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// The word.
    pub name: &'static str,
    /// What follows it, as the help writes it, if anything does.
    pub operand: Option<&'static str>,
    /// What it does, without a full stop at the end.
    pub help: &'static str,
}

/// A command that was given, with what followed it.
#[derive(Debug)]
pub struct Called {
    /// Which one.
    pub command: &'static Command,
    /// Its operand; there exactly if the command takes one.
    pub operand: Option<String>,
}

const fn command(name: &'static str, help: &'static str) -> Command {
    Command {
        name,
        operand: None,
        help,
    }
}

const BENCH: &[Command] = &[
    command(
        "pub",
        "publish from -c clients; at QoS 1 and 2 the time until each message is confirmed is measured",
    ),
    command(
        "sub",
        "subscribe with -c clients and check what comes, from mqtt-bench pub in another window or computer",
    ),
    command(
        "pair",
        "publish from -c clients, each to a subscriber of its own",
    ),
    command(
        "fan-in",
        "publish from -c clients to one subscriber (--subscribers)",
    ),
    command(
        "fan-out",
        "publish from one client (--publishers) to -c subscribers, each of which gets every message",
    ),
    command(
        "latency",
        "one message at a time in each of -c pairs: how long it takes from publisher to subscriber",
    ),
    command(
        "conn",
        "open -c connections and hold them; with -n, connect and disconnect that often",
    ),
    command(
        "retained",
        "leave -n retained messages with the broker, and measure how fast a new subscriber gets them",
    ),
    command(
        "offline",
        "send -n messages to a subscriber that is away, and measure how fast it gets them when it comes back",
    ),
    command(
        "box",
        "the load test of MQTTBox as it is set there: 2 clients send 20 messages each at QoS 1, within 5 seconds",
    ),
    command(
        "compare",
        "the same scenarios with several brokers in turn: mqtt-broker, an embedded rumqttd, Mosquitto if it is there, and any --broker",
    ),
    Command {
        name: "simulate",
        operand: Some("hvac|dht22|ds18b20|relay"),
        help: "be -c devices with wills, retained states and commands, until Ctrl-C",
    },
];

/// What a program can do; empty if it is one thing only.
pub const fn commands(program: Program) -> &'static [Command] {
    match program {
        Program::Bench => BENCH,
        Program::Pub | Program::Sub | Program::Rr => &[],
    }
}

/// Takes the command off the front of the arguments, if it stands there.
///
/// # Errors
/// The word is no command, or its operand is missing.
pub fn take(program: Program, arguments: &mut Vec<OsString>) -> Result<Option<Called>, UsageError> {
    let all = commands(program);
    let Some(word) = arguments
        .first()
        .map(|word| word.to_string_lossy().into_owned())
    else {
        return Ok(None);
    };
    if all.is_empty() || word.starts_with('-') {
        return Ok(None);
    }
    let Some(command) = all.iter().find(|command| command.name == word) else {
        return Err(UsageError::new(format!("There is no command '{word}'")).hint(listed(program)));
    };
    arguments.remove(0);
    let operand = match command.operand {
        None => None,
        Some(operand) => match arguments.first() {
            Some(next) if !next.to_string_lossy().starts_with('-') => {
                Some(arguments.remove(0).to_string_lossy().into_owned())
            }
            _ => {
                return Err(UsageError::new(format!("{word} needs a word behind it"))
                    .hint(format!("Type: {} {word} {operand}", program.name())));
            }
        },
    };
    Ok(Some(Called { command, operand }))
}

/// The mistake of leaving out the command.
pub fn missing(program: Program) -> UsageError {
    UsageError::new(format!(
        "What is {} to do? The command is missing",
        program.name()
    ))
    .hint(listed(program))
}

fn listed(program: Program) -> String {
    let names: Vec<_> = commands(program)
        .iter()
        .map(|command| command.name)
        .collect();
    format!("Type one of these first: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &str) -> (Option<&'static str>, usize) {
        let mut words: Vec<OsString> = line.split(' ').map(Into::into).collect();
        let called = take(Program::Bench, &mut words).unwrap();
        (called.map(|called| called.command.name), words.len())
    }

    #[test]
    fn a_command_stands_in_front_of_the_flags() {
        assert_eq!(taken("pub -c 5"), (Some("pub"), 2));
        assert_eq!(taken("fan-in"), (Some("fan-in"), 0));
        assert_eq!(taken("--help"), (None, 1));
    }

    #[test]
    fn an_unknown_word_is_answered_with_those_that_are_known() {
        let error = take(Program::Bench, &mut vec!["fun-in".into()]).unwrap_err();
        assert!(error.to_string().contains("fan-in, fan-out"), "{error}");
    }
}
