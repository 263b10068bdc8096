//! The run of mqtt-rr: connect, subscribe, ask, show the answers, leave.

use std::ops::ControlFlow;
use std::time::Duration;

use mqtt_common::client::{Client, Link, Lost, sleep_until};
use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::show::Show;
use mqtt_common::signals::Signals;
use mqtt_common::trace;
use mqtt_proto::client::{Event, PublishError};
use mqtt_proto::{Properties, PropertiesBuf, Publish, QoS, ReasonCode, Topic};
use tokio::time::Instant;

use crate::answers::Answers;
use crate::options::Options;

/// How many requests may wait for their answers at once, unless `-M` says otherwise.
const AT_ONCE: usize = 20;

/// Does what the options ask for.
pub async fn run(options: Options, console: Console) -> Exit {
    let end = options.timeout.map(|time| Instant::now() + time);
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            console.error(&format!(
                "Error: The system does not let us listen for Ctrl-C: {error}."
            ));
            return Exit::USAGE;
        }
    };
    let mut requester = match Requester::new(options, console.clone()) {
        Ok(requester) => requester,
        Err(sentence) => {
            console.error(&format!("Error: {sentence}."));
            return Exit::USAGE;
        }
    };
    tokio::select! {
        exit = requester.work() => requester.leave(exit, ReasonCode::Success).await,
        () = signals.stop() => {
            let exit = if requester.client.was_open() { Exit::DONE } else { Exit::INTERRUPTED };
            requester.leave(exit, ReasonCode::Success).await
        }
        () = sleep_until(end) => {
            // As Mosquitto's does: who waits for this client is told by its will that it gave up.
            let exit = requester.leave(Exit::TIMED_OUT, ReasonCode::DisconnectWithWill).await;
            console.error("Timed out");
            exit
        }
    }
}

struct Requester {
    client: Client,
    console: Console,
    talk: Talk,
}

/// What is asked, how far it has come, and what happens to the answers.
struct Talk {
    topic: Box<Topic>,
    qos: QoS,
    properties: PropertiesBuf,
    payload: Vec<u8>,
    /// How many requests are still to be sent.
    left: u64,
    /// The number of the last one.
    count: u64,
    at_once: usize,
    delay: Duration,
    /// The end of the pause before the next one.
    next: Option<Instant>,
    /// Whether the subscription is there, without which an answer could be missed.
    ready: bool,
    answers: Answers,
    show: Show,
    no_retained: bool,
    latency: bool,
}

impl Requester {
    fn new(options: Options, console: Console) -> Result<Requester, String> {
        let version = options.common.session.version;
        let properties = options.common.properties.publish.clone();
        let answers = Answers::new(properties.view(), version.is_v5(), options.repeat > 1)
            .map_err(|error| format!("The system gives no random numbers: {error}"))?;
        let talk = Talk {
            topic: options.topic,
            qos: options.subscription.qos,
            properties,
            payload: options.payload.load()?,
            left: options.repeat,
            count: 0,
            at_once: AT_ONCE.min(options.common.session.max_in_flight.into()),
            delay: options.delay,
            next: None,
            ready: false,
            answers,
            show: options.show,
            no_retained: options.no_retained,
            latency: options.latency,
        };
        let subscribe = options.common.properties.subscribe.clone();
        let filters = vec![(options.response, options.subscription)];
        let mut client = Client::new(options.common);
        // Without a connection nothing is written: it waits for CONNACK.
        client
            .session
            .subscribe(filters, subscribe.view(), 0, &mut Vec::new())
            .map_err(|error| error.to_string())?;
        Ok(Requester {
            client,
            console,
            talk,
        })
    }

    /// Works until all answers are there, or cannot come.
    async fn work(&mut self) -> Exit {
        if let Err(error) = self.client.open().await {
            return self.client.explain_failure(&self.console, &error);
        }
        let lost = match self.converse().await {
            Ok(exit) => return exit,
            Err(lost) => lost,
        };
        self.client.explain_loss(&self.console, &lost);
        // If it is stdout that is gone, the connection is fine and deserves a good-bye.
        if !matches!(lost, Lost::Screen(_)) {
            self.client.close(&lost).await;
            if self.client.was_open() {
                self.talk.report_missing(&self.console);
            }
        }
        lost.exit(self.client.session.version())
    }

    async fn converse(&mut self) -> Result<Exit, Lost> {
        let Requester {
            client,
            console,
            talk,
        } = self;
        loop {
            if let Some(mut link) = client.link()
                && let Err(error) = talk.ask(&mut link)
            {
                console.error(&format!("Error: The request cannot be published: {error}."));
                return Ok(Exit::USAGE);
            }
            tokio::select! {
                moved = client.moved() => moved?,
                () = sleep_until(talk.next), if talk.next.is_some() => talk.next = None,
            }
            let handled = client.process(|event, link| talk.handle(event, link, console))?;
            if let ControlFlow::Break(exit) = handled {
                return Ok(exit);
            }
        }
    }

    async fn leave(&mut self, exit: Exit, reason: ReasonCode) -> Exit {
        // The answers are shown; whether the broker hears the good-bye changes nothing for the user.
        let _ = self.client.leave(reason).await;
        let _ = self.client.screen.flush();
        exit
    }
}

impl Talk {
    /// Sends the requests whose time has come.
    fn ask(&mut self, link: &mut Link<'_>) -> Result<(), PublishError> {
        while self.ready
            && self.left > 0
            && self.next.is_none()
            && self.answers.waiting() < self.at_once
            && link.has_room()
        {
            let number = self.count + 1;
            let properties = self.answers.asked(number, self.properties.view());
            let request = Publish {
                dup: false,
                qos: self.qos,
                retain: false,
                topic: Some(&self.topic),
                packet_id: None,
                properties: properties.view(),
                payload: &self.payload,
            };
            link.publish(number, &request)?;
            self.count = number;
            self.left -= 1;
            if !self.delay.is_zero() && self.left > 0 {
                self.next = Some(Instant::now() + self.delay);
            }
        }
        Ok(())
    }

    fn handle(
        &mut self,
        event: Event<'_>,
        link: &mut Link<'_>,
        console: &Console,
    ) -> ControlFlow<Exit> {
        match event {
            Event::Message(message) => self.answer(&message, link, console),
            Event::Released(released) => self.answer(&released.publish(), link, console),
            Event::Subscribed { reasons, .. } => {
                let denied = reasons.iter().find(|reason| trace::is_denied(**reason));
                let Some(reason) = denied else {
                    self.ready = true;
                    return ControlFlow::Continue(());
                };
                let why = reason.name();
                console.error(&format!(
                    "Error: The broker refuses the subscription to the response topic: {why}."
                ));
                ControlFlow::Break(Exit(reason.value()))
            }
            Event::Published {
                tag,
                reason,
                properties,
            } => self.published(tag, reason, properties, console),
            _ => ControlFlow::Continue(()),
        }
    }

    fn answer(
        &mut self,
        message: &Publish<'_>,
        link: &mut Link<'_>,
        console: &Console,
    ) -> ControlFlow<Exit> {
        if message.retain && self.no_retained {
            return ControlFlow::Continue(());
        }
        let Some(left) = self.answers.answered(message) else {
            return ControlFlow::Continue(());
        };
        let took = left.elapsed();
        self.show.message(message, link.screen, console);
        if self.latency {
            link.screen.line(&format!("Latency: {}", span(took)));
        }
        if self.left == 0 && self.answers.waiting() == 0 {
            return ControlFlow::Break(Exit::DONE);
        }
        ControlFlow::Continue(())
    }

    /// A request at QoS 1 or 2 has reached the broker, or was refused: then nothing will answer it.
    fn published(
        &self,
        number: u64,
        reason: ReasonCode,
        properties: Properties<'_>,
        console: &Console,
    ) -> ControlFlow<Exit> {
        if reason == ReasonCode::NoMatchingSubscribers {
            let topic = &self.topic;
            console.note(&format!("Nobody is subscribed to '{topic}' at the moment."));
        }
        if !reason.is_error() {
            return ControlFlow::Continue(());
        }
        let own_words = properties
            .reason_string()
            .map_or(String::new(), |text| format!(" ({text})"));
        let why = reason.name();
        console.error(&format!(
            "Warning: Publish {number} failed: {why}{own_words}."
        ));
        ControlFlow::Break(Exit(reason.value()))
    }

    fn report_missing(&self, console: &Console) {
        let missing = self.answers.waiting() as u64 + self.left;
        match missing {
            0 => {}
            1 => console.error("Error: The answer has not come."),
            many => console.error(&format!("Error: {many} answers have not come.")),
        }
    }
}

/// A time in the form of Mosquitto's client, which scripts read: with its unit, from a second on without.
fn span(time: Duration) -> String {
    let nanos = time.subsec_nanos();
    if time.as_secs() > 0 {
        format!("{}.{nanos:09}", time.as_secs())
    } else if nanos < 1_000 {
        format!("{nanos}ns")
    } else if nanos < 1_000_000 {
        format!("{:.6}µs", f64::from(nanos) / 1e3)
    } else {
        format!("{:.6}ms", f64::from(nanos) / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_fits() {
        for (nanos, expected) in [
            (999, "999ns"),
            (1_500, "1.500000µs"),
            (25_228_288, "25.228288ms"),
            (1_000_000_001, "1.000000001"),
        ] {
            assert_eq!(span(Duration::from_nanos(nanos)), expected);
        }
    }
}
