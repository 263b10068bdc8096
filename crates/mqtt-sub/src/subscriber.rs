//! The run of mqtt-sub: connect, subscribe, show messages, and connect again as long as it takes.

use std::ops::ControlFlow;

use mqtt_common::client::{Client, Link, Lost, sleep_until};
use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::signals::Signals;
use mqtt_common::trace;
use mqtt_proto::client::Event;
use mqtt_proto::{Properties, Publish, ReasonCode, Version};
use tokio::time::Instant;

use crate::options::Options;
use crate::output::Format;

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
    let end = options.timeout.map(|time| Instant::now() + time);
    let mut subscriber = Subscriber::new(options, console);
    let exit = tokio::select! {
        exit = subscriber.work() => return subscriber.leave(exit).await,
        () = signals.stop() => Exit::DONE,
        () = sleep_until(end) => Exit::TIMED_OUT,
    };
    subscriber.stopped(exit).await
}

struct Subscriber {
    client: Client,
    console: Console,
    show: Show,
    takeovers: u32,
}

/// What happens to messages and answers.
struct Show {
    format: Format,
    version: Version,
    left: Option<u64>,
    /// Whether to say how the subscriptions were answered.
    announce: bool,
    /// Whether this is not the first connection, so that the next one is worth a word.
    reconnecting: bool,
}

impl Subscriber {
    fn new(options: Options, console: Console) -> Subscriber {
        let common = options.common;
        let show = Show {
            format: options.format,
            version: common.session.version,
            left: options.count,
            announce: common.debug && !common.quiet,
            reconnecting: false,
        };
        let mut client = Client::new(common);
        // Without a connection nothing is written: both wait for CONNACK, in this order.
        let mut nothing = Vec::new();
        let unsubscribe = options.unsubscribe.into_iter();
        let asked = client
            .session
            .subscribe(options.filters, Properties::EMPTY, 0, &mut nothing);
        let asked = unsubscribe.fold(asked, |asked, filter| {
            asked.and(
                client
                    .session
                    .unsubscribe(vec![filter], Properties::EMPTY, 0, &mut nothing),
            )
        });
        asked.expect("without a connection nothing is encoded");
        Subscriber {
            client,
            console,
            show,
            takeovers: 0,
        }
    }

    /// Works until it is done, or cannot go on.
    async fn work(&mut self) -> Exit {
        if let Err(error) = self.client.open().await {
            self.client.explain_failure(&self.console, &error);
            return Exit::USAGE;
        }
        loop {
            let lost = match self.listen().await {
                Ok(exit) => return exit,
                Err(lost) => lost,
            };
            self.client.explain_loss(&self.console, &lost);
            if matches!(lost, Lost::Screen(_)) {
                // The connection is fine, and deserves a good-bye.
                return lost.exit(self.show.version);
            }
            self.client.close(&lost).await;
            if !self.is_worth_another(&lost) {
                return lost.exit(self.show.version);
            }
            self.console.note("Trying to connect again every second.");
            self.show.reconnecting = true;
            if let Err(error) = self.client.reopen(None).await {
                self.client.explain_failure(&self.console, &error);
                return Exit::LOST;
            }
        }
    }

    /// One connection's life.
    async fn listen(&mut self) -> Result<Exit, Lost> {
        loop {
            self.client.moved().await?;
            let (show, console) = (&mut self.show, &self.console);
            let outcome = self
                .client
                .process(|event, link| show.handle(&event, link, console))?;
            if let ControlFlow::Break(exit) = outcome {
                return Ok(exit);
            }
        }
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
    async fn stopped(&mut self, exit: Exit) -> Exit {
        let timed_out = exit == Exit::TIMED_OUT;
        let exit = if self.client.was_open() {
            exit
        } else {
            Exit::INTERRUPTED
        };
        let exit = self.leave(exit).await;
        if timed_out {
            self.console.error("Timed out");
        }
        exit
    }

    async fn leave(&mut self, exit: Exit) -> Exit {
        // The messages are shown; whether the broker hears the good-bye changes nothing for the user.
        let _ = self.client.leave(ReasonCode::Success).await;
        exit
    }
}

impl Show {
    fn handle(
        &mut self,
        event: &Event<'_>,
        link: &mut Link<'_>,
        console: &Console,
    ) -> ControlFlow<Exit> {
        match event {
            Event::Message(message) => self.message(message, link),
            Event::Released(released) => self.message(&released.publish(), link),
            Event::Connected(_) => {
                if self.reconnecting {
                    console.note("Connected again.");
                }
                ControlFlow::Continue(())
            }
            Event::Subscribed { packet_id, reasons } => {
                if self.announce {
                    link.screen
                        .line(&trace::subscribed(packet_id.get(), reasons));
                }
                self.answered(reasons, console)
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn message(&mut self, message: &Publish<'_>, link: &mut Link<'_>) -> ControlFlow<Exit> {
        if self.format.show(message, link.screen.buffer())
            && let Some(left) = &mut self.left
        {
            *left -= 1;
            if *left == 0 {
                return ControlFlow::Break(Exit::DONE);
            }
        }
        ControlFlow::Continue(())
    }

    fn answered(&self, reasons: &[ReasonCode], console: &Console) -> ControlFlow<Exit> {
        let denied: Vec<_> = reasons
            .iter()
            .filter(|reason| trace::is_denied(**reason))
            .collect();
        match denied.first() {
            Some(reason) if denied.len() == reasons.len() => {
                console.error("All subscription requests were denied.");
                if self.version.is_v5() {
                    console.hint(&format!("The broker's reason: {}.", reason.name()));
                }
                ControlFlow::Break(Exit(reason.value()))
            }
            Some(_) => {
                let note = format!(
                    "{} of {} subscriptions were denied.",
                    denied.len(),
                    reasons.len()
                );
                console.note(&note);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Continue(()),
        }
    }
}
