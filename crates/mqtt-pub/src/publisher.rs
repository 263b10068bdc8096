//! The run of mqtt-pub: connect, publish, and leave when the broker has everything.

use std::ops::ControlFlow;
use std::time::Duration;

use mqtt_common::client::{Client, Link, Lost, describe_abandoned};
use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::signals::Signals;
use mqtt_proto::client::{Abandoned, Event, PublishError};
use mqtt_proto::{Properties, Publish, QoS, ReasonCode, Topic, Version};
use tokio::time::Instant;

use crate::options::{Options, Payload};
use crate::source::{Lines, Source};

/// Lines are kept for a broker that is away this long; then they are reported instead.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does what the options ask for.
pub async fn run(options: Options, console: Console) -> Exit {
    let source = match Source::new(&options, &console) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            console.error(&format!(
                "Error: The system does not let us listen for Ctrl-C: {error}."
            ));
            return Exit::USAGE;
        }
    };
    let mut publisher = Publisher::new(options, source, console);
    let exit = tokio::select! {
        exit = publisher.work() => exit,
        () = signals.stop() => publisher.stopped(),
    };
    publisher.finish(exit).await
}

struct Publisher {
    client: Client,
    console: Console,
    source: Source,
    what: What,
    /// How many messages have been published; also the number of the last line.
    count: u64,
    /// Why messages did not arrive, the first reason's code.
    failed: Option<Exit>,
    reconnecting: bool,
}

/// What all messages have in common.
struct What {
    topic: Box<Topic>,
    qos: QoS,
    retain: bool,
    version: Version,
    /// Whether a message is a line of input, which is worth its number in an error.
    is_line: bool,
}

impl What {
    fn publish<'a>(&'a self, payload: &'a [u8]) -> Publish<'a> {
        Publish {
            dup: false,
            qos: self.qos,
            retain: self.retain,
            topic: Some(&self.topic),
            packet_id: None,
            properties: Properties::EMPTY,
            payload,
        }
    }

    fn name(&self, number: u64) -> String {
        if self.is_line {
            format!("Line {number}")
        } else {
            format!("Publish {number}")
        }
    }
}

impl Publisher {
    fn new(options: Options, source: Source, console: Console) -> Publisher {
        let what = What {
            topic: options.topic,
            qos: options.qos,
            retain: options.retain,
            version: options.common.session.version,
            is_line: options.payload == Payload::Lines,
        };
        let mut client = Client::new(options.common);
        client.screen.make_optional();
        Publisher {
            client,
            console,
            source,
            what,
            count: 0,
            failed: None,
            reconnecting: false,
        }
    }

    /// Works until everything is delivered, or cannot be.
    async fn work(&mut self) -> Exit {
        if let Err(error) = self.client.open().await {
            self.client.explain_failure(&self.console, &error);
            return Exit::USAGE;
        }
        let mut give_up = Instant::now();
        loop {
            let lost = match self.deliver().await {
                Ok(exit) => return exit,
                Err(lost) => lost,
            };
            self.client.close(&lost).await;
            self.client.explain_loss(&self.console, &lost);
            // One message is not worth waiting for: whoever typed it can type it again.
            if !self.what.is_line || !self.client.was_open() || !lost.is_temporary() {
                return lost.exit(self.what.version);
            }
            if !std::mem::replace(&mut self.reconnecting, true) {
                give_up = Instant::now() + PATIENCE;
                self.console.note("Trying to connect again every second.");
            }
            if Instant::now() >= give_up {
                return lost.exit(self.what.version);
            }
            if let Err(error) = self.client.reopen(Some(give_up)).await {
                self.client.explain_failure(&self.console, &error);
                return Exit::LOST;
            }
        }
    }

    /// One connection's life: takes from the source what fits, until all of it is delivered.
    async fn deliver(&mut self) -> Result<Exit, Lost> {
        loop {
            if let ControlFlow::Break(exit) = self.publish() {
                return Ok(exit);
            }
            if self.source.is_done() && self.client.session.is_idle() && self.client.all_sent() {
                return Ok(Exit::DONE);
            }
            // While nothing more fits, the source waits: this is what keeps the memory small.
            let takes_more = self.client.link().is_some_and(|link| link.has_room());
            tokio::select! {
                moved = self.client.moved() => {
                    moved?;
                    self.handle_events()?;
                }
                ready = self.source.ready(), if takes_more && !self.source.is_done() => {
                    if let Err(error) = ready {
                        self.console.error(&format!("Error: Standard input: {error}."));
                        return Ok(Exit::USAGE);
                    }
                }
            }
        }
    }

    fn handle_events(&mut self) -> Result<(), Lost> {
        let Publisher {
            client,
            console,
            what,
            failed,
            reconnecting,
            source,
            ..
        } = self;
        let processed = client.process(|event, link| -> ControlFlow<()> {
            match event {
                Event::Connected(connected) => {
                    if std::mem::take(reconnecting) {
                        console.note("Connected again.");
                    }
                    for abandoned in &connected.abandoned {
                        report_abandoned(console, what, abandoned);
                        failed.get_or_insert(Exit::LOST);
                    }
                }
                Event::Published {
                    tag,
                    reason,
                    properties,
                } => {
                    if reason.is_error() {
                        let own_words = properties
                            .reason_string()
                            .map_or(String::new(), |t| format!(" ({t})"));
                        let name = what.name(tag);
                        console.error(&format!(
                            "Warning: {name} failed: {}{own_words}.",
                            reason.name()
                        ));
                        failed.get_or_insert(Exit(reason.value()));
                    }
                    if link.is_idle() {
                        source.delivered();
                    }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        });
        processed.map(|_| ())
    }

    /// Publishes what the source has and the connection takes.
    fn publish(&mut self) -> ControlFlow<Exit> {
        let Publisher {
            client,
            console,
            source,
            what,
            count,
            ..
        } = self;
        let Some(mut link) = client.link() else {
            return ControlFlow::Continue(());
        };
        let published = match source {
            Source::Lines { lines, .. } => publish_lines(lines, &mut link, what, count),
            Source::Repeated {
                payload,
                left,
                delay,
                next,
            } => publish_repeated(payload, left, *delay, next, &mut link, what, count),
        };
        match published {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                console.error(&format!(
                    "Error: {} cannot be published: {error}.",
                    what.name(*count + 1)
                ));
                ControlFlow::Break(match error {
                    PublishError::TooLarge { .. } | PublishError::Encode(_) => Exit::TOO_LARGE,
                    _ => Exit::USAGE,
                })
            }
        }
    }

    /// A signal has ended the work.
    fn stopped(&self) -> Exit {
        if !self.client.was_open() {
            return Exit::INTERRUPTED;
        }
        let unsent = matches!(&self.source, Source::Lines { lines, .. } if lines.begun() > 0);
        let delivered = self.client.session.is_idle() && self.client.carried() == 0;
        if delivered && !unsent {
            Exit::DONE
        } else {
            Exit::LOST
        }
    }

    /// Leaves, and reports what did not arrive.
    async fn finish(&mut self, exit: Exit) -> Exit {
        let mut exit = if exit == Exit::DONE {
            self.failed.unwrap_or(Exit::DONE)
        } else {
            exit
        };
        if let Err(error) = self.client.leave(ReasonCode::Success).await
            && exit == Exit::DONE
            && self.what.qos == QoS::AtMostOnce
        {
            // Above QoS 0 the broker has confirmed everything, and how it closes is its own affair.
            self.console.error(&format!(
                "Error: The connection was lost while leaving: {error}."
            ));
            exit = Exit::LOST;
        }
        if self.client.was_open() {
            self.report_undelivered();
        }
        let _ = self.client.screen.flush();
        exit
    }

    fn report_undelivered(&self) {
        let carried = u64::try_from(self.client.carried())
            .unwrap_or(u64::MAX)
            .min(self.count);
        let mut numbers: Vec<u64> = self.client.session.unconfirmed().collect();
        numbers.extend(self.count - carried + 1..=self.count);
        numbers.sort_unstable();
        if !numbers.is_empty() {
            let which = ranges(&numbers);
            let sentence = match (self.what.is_line, numbers.len()) {
                (true, 1) => format!("Error: Line {which} was not confirmed by the broker."),
                (true, _) => format!("Error: Lines {which} were not confirmed by the broker."),
                (false, _) => "Error: The message was not confirmed by the broker.".to_owned(),
            };
            self.console.error(&sentence);
        }
        if let Source::Lines { lines, .. } = &self.source
            && lines.begun() > 0
        {
            self.console.error(&format!(
                "Error: Line {} and all after it were not sent.",
                self.count + 1
            ));
        }
    }
}

fn publish_lines(
    lines: &mut Lines,
    link: &mut Link<'_>,
    what: &What,
    count: &mut u64,
) -> Result<(), PublishError> {
    while link.has_room()
        && let Some(line) = lines.next()
    {
        link.publish(*count + 1, &what.publish(line))?;
        *count += 1;
    }
    Ok(())
}

/// One message after the other: the next one when the last is delivered and the pause is over.
fn publish_repeated(
    payload: &[u8],
    left: &mut u64,
    delay: Duration,
    next: &mut Option<Instant>,
    link: &mut Link<'_>,
    what: &What,
    count: &mut u64,
) -> Result<(), PublishError> {
    while *left > 0 && link.has_room() && link.is_idle() && next.is_none() {
        link.publish(*count + 1, &what.publish(payload))?;
        *count += 1;
        *left -= 1;
        if what.qos == QoS::AtMostOnce && !delay.is_zero() && *left > 0 {
            *next = Some(Instant::now() + delay);
        }
    }
    Ok(())
}

fn report_abandoned(console: &Console, what: &What, abandoned: &Abandoned) {
    let (name, why) = (what.name(abandoned.tag), describe_abandoned(abandoned));
    console.error(&format!("Error: {name} is not certain: {why}."));
}

/// Numbers in ascending order as people write them: `3-5, 9`.
fn ranges(numbers: &[u64]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for run in numbers.chunk_by(|a, b| a + 1 == *b) {
        parts.push(match run {
            [first, .., last] => format!("{first}-{last}"),
            [only] => only.to_string(),
            [] => continue,
        });
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_as_ranges() {
        for (numbers, expected) in [
            (&[][..], ""),
            (&[4], "4"),
            (&[1, 2, 3, 7, 9, 10], "1-3, 7, 9-10"),
        ] {
            assert_eq!(ranges(numbers), expected);
        }
    }
}
