//! The run of mqtt-pub: connect, publish, and leave when the broker has everything.

use std::ops::ControlFlow;
use std::time::Duration;

use mqtt_common::client::{Client, Lost, describe_abandoned, sleep_until};
use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::signals::Signals;
use mqtt_proto::client::Event;
use mqtt_proto::{Properties, QoS, ReasonCode};
use tokio::time::Instant;

use crate::options::Options;
use crate::outgoing::Outgoing;
use crate::source::Source;

/// Messages are kept for a broker that is away this long; then they are reported instead.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker that confirms nothing for this long, but lives, is worth a word to the user.
const STALLED: Duration = Duration::from_secs(10);

/// Does what the options ask for.
pub async fn run(options: Options, console: Console) -> Exit {
    let failed = |sentence: String| {
        console.error(&format!("Error: {sentence}."));
        Exit::USAGE
    };
    let visible = !options.common.quiet && !options.common.debug;
    let outgoing = Outgoing::new(&options);
    let source = match Source::new(options.from, visible) {
        Ok(source) => source,
        Err(sentence) => return failed(sentence),
    };
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            return failed(format!(
                "The system does not let us listen for Ctrl-C: {error}"
            ));
        }
    };
    let mut client = Client::new(options.common);
    client.screen.make_optional();
    let mut publisher = Publisher {
        client,
        console,
        source,
        outgoing,
        failed: None,
        reconnecting: false,
        is_fresh: false,
        stall: Stall::default(),
    };
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
    outgoing: Outgoing,
    /// Why messages did not arrive, the first reason's code.
    failed: Option<Exit>,
    reconnecting: bool,
    /// Whether this is the first connection of a new session, to which no old acknowledgement can come.
    is_fresh: bool,
    stall: Stall,
}

/// How long the broker has confirmed nothing.
#[derive(Default)]
struct Stall {
    since: Option<Instant>,
    /// How many messages had been confirmed then.
    confirmed: u64,
    told: bool,
}

impl Stall {
    /// `confirmed` messages have been confirmed by now, and others are on their way or not.
    fn look(&mut self, confirmed: u64, waits: bool) {
        if !waits {
            self.since = None;
        } else if self.since.is_none() || self.confirmed != confirmed {
            self.since = Some(Instant::now());
        }
        self.confirmed = confirmed;
    }

    /// When it is time for a word.
    fn due(&self) -> Option<Instant> {
        self.since
            .filter(|_| !self.told)
            .map(|since| since + STALLED)
    }
}

impl Publisher {
    /// Works until everything is delivered, or cannot be.
    async fn work(&mut self) -> Exit {
        if let Err(error) = self.client.open().await {
            return self.client.explain_failure(&self.console, &error);
        }
        let reconnect = self.client.reconnect().clone();
        let patience = reconnect.timeout.unwrap_or(PATIENCE);
        let mut give_up = Instant::now();
        loop {
            let lost = match self.deliver().await {
                Ok(exit) => return exit,
                Err(lost) => lost,
            };
            self.client.close(&lost).await;
            self.client.explain_loss(&self.console, &lost);
            let goes_on = self.source.is_stream() && reconnect.allowed;
            if !goes_on || !self.client.was_open() || !lost.is_temporary() {
                return lost.exit(self.client.session.version());
            }
            if !std::mem::replace(&mut self.reconnecting, true) {
                give_up = Instant::now() + patience;
                self.console.note(&reconnect.announcement());
            }
            if Instant::now() >= give_up {
                return lost.exit(self.client.session.version());
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
            let waits = self.client.session.is_open() && !self.client.session.is_idle();
            self.stall.look(self.outgoing.confirmed, waits);
            // While nothing more fits, the source waits: this is what keeps the memory small.
            let takes_more = self.client.link().is_some_and(|link| link.has_room());
            tokio::select! {
                moved = self.client.moved() => {
                    moved?;
                    self.handle_events()?;
                }
                () = sleep_until(self.stall.due()) => {
                    self.stall.told = true;
                    self.console.note(
                        "The broker has confirmed nothing for 10 seconds. Still waiting; Ctrl-C ends it.",
                    );
                }
                ready = self.source.ready(), if takes_more && !self.source.is_done() => {
                    if let Err(error) = ready {
                        self.console.error(&format!("Error: Reading failed: {error}."));
                        return Ok(Exit::USAGE);
                    }
                }
            }
        }
    }

    fn publish(&mut self) -> ControlFlow<Exit> {
        let Some(mut link) = self.client.link() else {
            return ControlFlow::Continue(());
        };
        self.outgoing
            .publish(&mut self.source, &mut link, &self.console, &mut self.failed)
    }

    fn handle_events(&mut self) -> Result<(), Lost> {
        let Publisher {
            client,
            console,
            source,
            outgoing,
            failed,
            reconnecting,
            is_fresh,
            ..
        } = self;
        let counted = outgoing.counted;
        let processed = client.process(|event, link| -> ControlFlow<()> {
            match event {
                Event::Connected(connected) => {
                    let again = std::mem::take(reconnecting);
                    if again {
                        console.note("Connected again.");
                    }
                    *is_fresh = !again && !connected.session_present;
                    for abandoned in &connected.abandoned {
                        let name = counted.name(abandoned.tag);
                        let why = describe_abandoned(abandoned);
                        console.error(&format!("Error: {name} is not certain: {why}."));
                        failed.get_or_insert(Exit::LOST);
                    }
                }
                Event::Published {
                    tag,
                    reason,
                    properties,
                } => {
                    if reason.is_error() {
                        refused(console, &counted.name(tag), reason, properties);
                        failed.get_or_insert(Exit(reason.value()));
                    }
                    outgoing.confirmed += 1;
                    if let Some(size) = outgoing.window.confirmed() {
                        link.set_max_in_flight(size);
                    }
                    if link.is_idle() {
                        source.delivered();
                    }
                }
                Event::UnknownId { packet_id, .. } if std::mem::take(is_fresh) => {
                    console.error(&format!(
                        "Warning: The broker confirms packet {packet_id}, which is not on its way."
                    ));
                }
                _ => {}
            }
            ControlFlow::Continue(())
        });
        processed.map(|_| ())
    }

    /// A signal has ended the work.
    fn stopped(&self) -> Exit {
        if !self.client.was_open() {
            return Exit::INTERRUPTED;
        }
        let delivered = self.client.unconfirmed().next().is_none();
        if delivered && !self.source.is_ahead() {
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
            && self.outgoing.highest_qos() == QoS::AtMostOnce
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
        let counted = self.outgoing.counted;
        if let Some(sentence) = counted.unconfirmed(self.client.unconfirmed().collect()) {
            self.console.error(&sentence);
        }
        if self.source.is_ahead() {
            self.console.error(&format!(
                "Error: Line {} and all after it were not sent.",
                self.outgoing.count() + 1
            ));
        }
    }
}

fn refused(console: &Console, name: &str, reason: ReasonCode, properties: Properties<'_>) {
    let own_words = properties
        .reason_string()
        .map_or(String::new(), |text| format!(" ({text})"));
    console.error(&format!(
        "Warning: {name} failed: {}{own_words}.",
        reason.name()
    ));
}
