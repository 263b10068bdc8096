//! The run of mqtt-sub: connect, subscribe, take messages, and connect again as long as it takes.

use std::ops::ControlFlow;
use std::path::Path;

use mqtt_common::client::{Client, Link, Lost, sleep_until};
use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::options::PacketProperties;
use mqtt_common::signals::Signals;
use mqtt_common::trace;
use mqtt_proto::client::Event;
use mqtt_proto::{Filter, ReasonCode, SubscriptionOptions, Version};
use tokio::time::Instant;

use crate::options::Options;
use crate::output::Output;
use crate::rate::Rate;
use crate::recorder::Recorder;
use crate::retained::Remover;
use crate::watch::Watch;

/// A client that is pushed out by another of the same name, and pushes back, never gets any work
/// done: after this many times it gives way.
const TAKEOVERS: u32 = 3;

/// Does what the options ask for.
pub async fn run(options: Options, console: Console) -> Exit {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            console.error(&format!(
                "Error: The system does not let us listen for Ctrl-C: {error}."
            ));
            return Exit::USAGE;
        }
    };
    options.notes.iter().for_each(|note| console.note(note));
    let end = options.timeout.map(|time| Instant::now() + time);
    let mut subscriber = match Subscriber::new(options, &console) {
        Ok(subscriber) => subscriber,
        Err(exit) => return exit,
    };
    let exit = tokio::select! {
        exit = subscriber.work(&console) => return subscriber.leave(exit, &console).await,
        () = signals.stop() => Exit::DONE,
        () = sleep_until(end) => Exit::TIMED_OUT,
    };
    subscriber.stopped(exit, &console).await
}

struct Subscriber {
    client: Client,
    heard: Heard,
    takeovers: u32,
}

/// What happens to messages and answers.
struct Heard {
    output: Output,
    version: Version,
    /// Whether to say how the subscriptions were answered.
    announce: bool,
    /// Whether this is not the first connection, so that the next one is worth a word.
    reconnecting: bool,
    /// How many answers to SUBSCRIBE and UNSUBSCRIBE end the run; `None` if they do not.
    answers_left: Option<usize>,
}

impl Subscriber {
    fn new(options: Options, console: &Console) -> Result<Subscriber, Exit> {
        let common = options.common;
        let records_to_stdout = options.record.as_deref() == Some(Path::new("-"));
        let recorder = match &options.record {
            Some(path) if !records_to_stdout => Some(open(path, console)?),
            _ => None,
        };
        let host = common.host.clone();
        let (announce, version) = (common.debug && !common.quiet, common.session.version);
        let properties = common.properties.clone();
        let mut client = Client::new(common);
        let requests = usize::from(!options.filters.is_empty()) + options.unsubscribe.len();
        ask(
            &mut client,
            options.filters,
            options.unsubscribe,
            &properties,
        );
        let heard = Heard {
            output: Output {
                selection: options.selection,
                show: options.show,
                watch: options
                    .watch
                    .then(|| Watch::start(&host, &mut client.screen)),
                rate: options.rate.then(Rate::start),
                records: records_to_stdout.then(Instant::now),
                recorder,
                remover: Remover::new(options.retained),
                left: options.count,
                finishing: false,
            },
            version,
            announce,
            reconnecting: false,
            answers_left: options.exit_after_subscribe.then_some(requests),
        };
        Ok(Subscriber {
            client,
            heard,
            takeovers: 0,
        })
    }

    /// Works until it is done, or cannot go on.
    async fn work(&mut self, console: &Console) -> Exit {
        if let Err(error) = self.client.open().await {
            return self.client.explain_failure(console, &error);
        }
        let reconnect = self.client.reconnect().clone();
        let mut give_up = None;
        loop {
            let lost = match self.listen(console).await {
                Ok(exit) => return exit,
                Err(lost) => lost,
            };
            // What was shown before comes before what is said about it.
            let _ = self.client.screen.flush();
            self.client.explain_loss(console, &lost);
            if matches!(lost, Lost::Screen(_)) {
                // The connection is fine, and deserves a good-bye.
                return lost.exit(self.heard.version);
            }
            self.client.close(&lost).await;
            // A broker that accepts and closes again is still away.
            if !std::mem::replace(&mut self.heard.reconnecting, true) {
                give_up = reconnect.timeout.map(|time| Instant::now() + time);
            }
            let gone = give_up.is_some_and(|end| Instant::now() >= end);
            if !reconnect.allowed || gone || !self.is_worth_another(&lost) {
                return lost.exit(self.heard.version);
            }
            console.note(&reconnect.announcement());
            if let Err(error) = self.client.reopen(give_up).await {
                self.client.explain_failure(console, &error);
                return Exit::LOST;
            }
        }
    }

    /// One connection's life.
    async fn listen(&mut self, console: &Console) -> Result<Exit, Lost> {
        loop {
            match &mut self.heard.output.rate {
                Some(rate) => tokio::select! {
                    moved = self.client.moved() => moved?,
                    () = rate.tick() => {
                        rate.show(&mut self.client.screen);
                        self.client.screen.flush().map_err(Lost::Screen)?;
                        continue;
                    }
                },
                None => self.client.moved().await?,
            }
            let heard = &mut self.heard;
            let outcome = self
                .client
                .process(|event, link| heard.handle(&event, link, console))?;
            if let ControlFlow::Break(exit) = outcome {
                return Ok(exit);
            }
            if let Some(exit) = self.save(console) {
                return Ok(exit);
            }
        }
    }

    /// Writes the recording as far as it goes. It is on its way to the disk before the broker hears
    /// that the messages have arrived.
    fn save(&mut self, console: &Console) -> Option<Exit> {
        let saved = self.heard.output.recorder.as_mut()?.flush();
        saved.err().map(|what| {
            console.error(&format!("Error: {what}."));
            Exit::USAGE
        })
    }

    fn is_worth_another(&mut self, lost: &Lost) -> bool {
        if matches!(
            lost,
            Lost::Disconnected {
                reason: ReasonCode::SessionTakenOver,
                ..
            }
        ) {
            self.takeovers += 1;
        }
        // What fails before the first answer is a wrong address or a refusal, not a broken connection.
        self.client.was_open() && lost.is_temporary() && self.takeovers < TAKEOVERS
    }

    /// A signal or the time limit has ended the work.
    async fn stopped(&mut self, exit: Exit, console: &Console) -> Exit {
        let timed_out = exit == Exit::TIMED_OUT;
        let exit = if self.client.was_open() {
            exit
        } else {
            Exit::INTERRUPTED
        };
        let exit = self.leave(exit, console).await;
        if timed_out {
            console.error("Timed out");
        }
        exit
    }

    async fn leave(&mut self, exit: Exit, console: &Console) -> Exit {
        let exit = self.save(console).unwrap_or(exit);
        if let Some(rate) = &self.heard.output.rate {
            rate.end(&mut self.client.screen);
        }
        // The messages are shown; whether the broker hears the good-bye changes nothing for the user.
        let _ = self.client.leave(ReasonCode::Success).await;
        self.heard.output.remover.end(exit, console)
    }
}

fn open(path: &Path, console: &Console) -> Result<Recorder, Exit> {
    Recorder::open(path).map_err(|error| {
        let path = path.display();
        console.error(&format!("Error: {path} cannot be written: {error}."));
        console.hint("--record - writes to standard output.");
        Exit::USAGE
    })
}

/// Subscribes and unsubscribes. Without a connection nothing is written: both wait for CONNACK, in
/// this order.
fn ask(
    client: &mut Client,
    filters: Vec<(Box<Filter>, SubscriptionOptions)>,
    unsubscribe: Vec<Box<Filter>>,
    properties: &PacketProperties,
) {
    let mut nothing = Vec::new();
    let session = &mut client.session;
    let subscribed = session.subscribe(filters, properties.subscribe.view(), 0, &mut nothing);
    let asked = unsubscribe.into_iter().fold(subscribed, |asked, filter| {
        let properties = properties.unsubscribe.view();
        asked.and(session.unsubscribe(vec![filter], properties, 0, &mut nothing))
    });
    asked.expect("without a connection nothing is encoded");
}

impl Heard {
    fn handle(
        &mut self,
        event: &Event<'_>,
        link: &mut Link<'_>,
        console: &Console,
    ) -> ControlFlow<Exit> {
        match event {
            Event::Message(message) => self.output.message(message, link, console),
            Event::Released(released) => self.output.message(&released.publish(), link, console),
            Event::Published { reason, .. } => self.output.removed(*reason, link),
            Event::Connected(_) => {
                if self.reconnecting {
                    say(link, || console.note("Connected again."));
                }
                ControlFlow::Continue(())
            }
            Event::Subscribed { packet_id, reasons } => {
                if self.announce {
                    link.screen
                        .line(&trace::subscribed(packet_id.get(), reasons));
                }
                self.subscribed(reasons, link, console)?;
                self.answered()
            }
            Event::Unsubscribed { reasons, .. } => {
                if let Some(reason) = reasons.iter().find(|reason| reason.is_error()) {
                    let note = format!("The broker did not unsubscribe: {}.", reason.name());
                    say(link, || console.note(&note));
                }
                self.answered()
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn subscribed(
        &self,
        reasons: &[ReasonCode],
        link: &mut Link<'_>,
        console: &Console,
    ) -> ControlFlow<Exit> {
        let denied: Vec<_> = reasons
            .iter()
            .filter(|reason| trace::is_denied(**reason))
            .collect();
        match denied.first() {
            Some(reason) if denied.len() == reasons.len() => {
                say(link, || {
                    console.error("All subscription requests were denied.");
                    if self.version.is_v5() {
                        console.hint(&format!("The broker's reason: {}.", reason.name()));
                    }
                });
                ControlFlow::Break(Exit(reason.value()))
            }
            Some(_) => {
                let (denied, all) = (denied.len(), reasons.len());
                let note = format!("{denied} of {all} subscriptions were denied.");
                say(link, || console.note(&note));
                ControlFlow::Continue(())
            }
            None => ControlFlow::Continue(()),
        }
    }

    /// One of the answers has come that `-E` waits for.
    fn answered(&mut self) -> ControlFlow<Exit> {
        match &mut self.answers_left {
            Some(left) => {
                *left = left.saturating_sub(1);
                match left {
                    0 => ControlFlow::Break(Exit::DONE),
                    _ => ControlFlow::Continue(()),
                }
            }
            None => ControlFlow::Continue(()),
        }
    }
}

/// Says something on stderr, behind all that is already on its way to stdout.
fn say(link: &mut Link<'_>, words: impl FnOnce()) {
    // If stdout takes nothing, the next flush reports it.
    let _ = link.screen.flush();
    words();
}
