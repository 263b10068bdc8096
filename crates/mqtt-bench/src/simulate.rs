//! `simulate`: devices for an exercise, each a client with a will, retained states and commands.
//!
//! What a device measures and how it obeys is [`device`]; here it gets a connection, a clock and an end.

pub mod device;
mod walk;

use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use mqtt_common::client::{Client, Lost};
use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::flags::{Said, UsageError};
use mqtt_common::options::Common;
use mqtt_common::signals::Signals;
use mqtt_common::value;
use mqtt_proto::client::{Event, WillMessage};
use mqtt_proto::{Filter, PropertiesBuf, Publish, QoS, ReasonCode, SubscriptionOptions, Topic};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::names::{self, Fill};
use crate::options;
use crate::say::say_line;
use device::{Device, Kind};

/// How often a device measures, unless told otherwise.
const INTERVAL: Duration = Duration::from_secs(5);
/// Where a device's messages go, with its number from 1.
const TOPIC: &str = "hvac/room%i";

/// What is to be simulated.
#[derive(Debug, Clone)]
pub struct Simulation {
    common: Common,
    kind: Kind,
    devices: usize,
    topic: String,
    id: String,
    qos: QoS,
    is_json: bool,
    interval: Duration,
    duration: Option<Duration>,
    seed: u64,
    /// Addresses of this computer to connect from, in turn.
    sources: Vec<String>,
    is_quiet: bool,
}

impl Simulation {
    /// Judges what was said.
    ///
    /// # Errors
    /// A value means nothing.
    pub fn new(said: &Said) -> Result<Simulation, UsageError> {
        let name = said
            .called
            .as_ref()
            .and_then(|called| called.operand.as_deref());
        let name = name.unwrap_or_default();
        let kind = Kind::NAMES.iter().find(|(known, _)| *known == name);
        let Some((_, kind)) = kind else {
            let names = Kind::NAMES.map(|(name, _)| name).join(", ");
            return Err(UsageError::new(format!("There is no device '{name}'"))
                .hint(format!("Type one of these: {names}")));
        };
        let topic = said.text("topic")?.unwrap_or(TOPIC).to_owned();
        value::topic("device", &names::fill(&topic, Fill::default(), ""))?;
        let devices = said.meaning("clients", value::count)?.unwrap_or(1);
        let id = match (said.text("id")?, said.text("id-prefix")?) {
            (Some(id), _) => id.to_owned(),
            (None, Some(prefix)) => format!("{prefix}%i"),
            (None, None) => format!("{name}-%i-{}", std::process::id()),
        };
        if devices > 1 && !id.contains("%i") {
            return Err(
                UsageError::new(format!("{devices} devices cannot all be called '{id}'"))
                    .hint(format!("Put %i where their number is to stand: -i {id}-%i")),
            );
        }
        if devices > 1 && !topic.contains("%i") {
            return Err(UsageError::new(format!(
                "{devices} devices would share the topic '{topic}'"
            ))
            .hint(format!(
                "Put %i where their number is to stand: -t {topic}/%i"
            )));
        }
        let interval = said
            .meaning("interval", value::duration)?
            .unwrap_or(INTERVAL);
        if interval.is_zero() {
            return Err(UsageError::new("--interval must be more than nothing")
                .hint("Type for example: --interval 500ms"));
        }
        Ok(Simulation {
            common: Common::new(said)?,
            kind: *kind,
            devices: usize::try_from(devices).unwrap_or(usize::MAX),
            topic,
            id,
            qos: said.meaning("qos", value::qos)?.unwrap_or_default(),
            is_json: said.meaning("format", is_json)?.unwrap_or(false),
            interval,
            duration: said.meaning("duration", value::duration)?,
            seed: said.meaning("seed", seed)?.unwrap_or(1),
            sources: options::sources(said)?,
            is_quiet: said.has("quiet"),
        })
    }

    fn topic_of(&self, number: usize) -> String {
        let username = self.common.session.username.as_deref().unwrap_or_default();
        let index = number;
        let username = names::fill(
            username,
            Fill {
                index,
                ..Fill::default()
            },
            "",
        );
        let id = self.id_of(number);
        let with = Fill {
            index,
            client_id: &id,
            username: &username,
        };
        names::fill(&self.topic, with, "")
    }

    fn id_of(&self, number: usize) -> String {
        let with = Fill {
            index: number,
            ..Fill::default()
        };
        names::fill(&self.id, with, "")
    }
}

fn is_json(flag: &str, text: &str) -> Result<bool, UsageError> {
    match text {
        "json" => Ok(true),
        "numbers" => Ok(false),
        _ => Err(
            UsageError::new(format!("{flag} '{text}' means nothing")).hint(
                "Type numbers (each value on its own topic) or json (all of them in one object).",
            ),
        ),
    }
}

fn seed(flag: &str, text: &str) -> Result<u64, UsageError> {
    text.parse().map_err(|_| {
        UsageError::new(format!("{flag} needs a whole number, and got '{text}'"))
            .hint(format!("Type for example: {flag} 1"))
    })
}

/// Lets all devices live until the time is over or the user stops them.
pub async fn run(simulation: &Simulation, console: &Console, signals: &mut Signals) -> Exit {
    LocalSet::new()
        .run_until(live(simulation, console, signals))
        .await
}

async fn live(simulation: &Simulation, console: &Console, signals: &mut Signals) -> Exit {
    let (end, ending) = watch::channel(false);
    let simulation = Rc::new(simulation.clone());
    let mut devices = JoinSet::new();
    for number in 1..=simulation.devices {
        let one = Attached::new(Rc::clone(&simulation), console.clone(), number);
        match one {
            Ok(one) => devices.spawn_local(one.live(ending.clone())),
            Err(error) => {
                console.error(&format!("Error: {error}."));
                return Exit::USAGE;
            }
        };
    }
    let over = async {
        match simulation.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    let mut exit = Exit::DONE;
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over, if !*end.borrow() => {
                let _ = end.send(true);
            }
            () = signals.stop() => {
                let _ = end.send(true);
            }
            ended = devices.join_next() => match ended {
                None => return exit,
                Some(Ok(Exit::DONE)) | Some(Err(_)) => {}
                Some(Ok(failed)) => {
                    exit = failed;
                    // Whoever has left already need not hear it.
                    let _ = end.send(true);
                }
            },
        }
    }
}

/// A device with its connection.
struct Attached {
    simulation: Rc<Simulation>,
    console: Console,
    client: Client,
    device: Device,
    /// Its own topic.
    topic: String,
    /// The number of the last message.
    count: u64,
}

impl Attached {
    fn new(
        simulation: Rc<Simulation>,
        console: Console,
        number: usize,
    ) -> Result<Attached, String> {
        let topic = simulation.topic_of(number);
        let mut common = simulation.common.clone();
        common.session.client_id = simulation.id_of(number);
        if !simulation.sources.is_empty() {
            common.way.local = Some(simulation.sources[number % simulation.sources.len()].clone());
        }
        let with = Fill {
            index: number,
            ..Fill::default()
        };
        let username = common.session.username.take();
        common.session.username = username.map(|name| names::fill(&name, with, ""));
        let status = format!("{topic}/status");
        let status = Topic::parse(&status).map_err(|error| error.to_string())?;
        common.session.will = Some(WillMessage {
            topic: status.into(),
            payload: b"offline".to_vec(),
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: PropertiesBuf::new(),
        });
        let device = Device::new(
            simulation.kind,
            simulation.is_json,
            simulation.seed,
            number as u64,
        );
        let mut client = Client::new(common);
        if device.obeys() {
            let filter = format!("{topic}/relay/+/set");
            let filter = Filter::parse(&filter).map_err(|error| error.to_string())?;
            let options = SubscriptionOptions {
                qos: QoS::AtLeastOnce,
                ..SubscriptionOptions::default()
            };
            let properties = PropertiesBuf::new();
            // Without a connection nothing is written: it waits for CONNACK.
            client
                .session
                .subscribe(
                    vec![(filter.into(), options)],
                    properties.view(),
                    0,
                    &mut Vec::new(),
                )
                .map_err(|error| error.to_string())?;
        }
        Ok(Attached {
            simulation,
            console,
            client,
            device,
            topic,
            count: 0,
        })
    }

    /// Connects, measures and obeys, until the end has come.
    async fn live(mut self, mut ending: watch::Receiver<bool>) -> Exit {
        if let Err(error) = self.client.open().await {
            return self.client.explain_failure(&self.console, &error);
        }
        loop {
            let lost = tokio::select! {
                lost = self.work() => lost,
                _ = ending.wait_for(|is_over| *is_over) => {
                    self.good_bye().await;
                    return Exit::DONE;
                }
            };
            self.client.close(&lost).await;
            if !lost.is_temporary() || !self.client.was_open() {
                self.client.explain_loss(&self.console, &lost);
                return lost.exit(self.simulation.common.session.version);
            }
            self.console.note(&format!(
                "{} has lost its connection and tries again every second.",
                self.topic
            ));
            tokio::select! {
                _ = self.client.reopen(None) => {}
                _ = ending.wait_for(|is_over| *is_over) => return Exit::DONE,
            }
        }
    }

    async fn work(&mut self) -> Lost {
        let every = self.simulation.interval;
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                moved = self.client.moved() => {
                    if let Err(lost) = moved {
                        return lost;
                    }
                }
                _ = ticks.tick() => self.measure(every.as_secs_f64()),
            }
            if let Err(lost) = self.process() {
                return lost;
            }
        }
    }

    fn process(&mut self) -> Result<(), Lost> {
        let mut is_there = false;
        let mut commands = Vec::new();
        let front = format!("{}/", self.topic);
        let handled = self.client.process(|event, _| {
            match event {
                Event::Connected(_) => is_there = true,
                Event::Message(message) => {
                    let below = message
                        .topic
                        .and_then(|topic| topic.as_str().strip_prefix(&front));
                    // A retained command would be obeyed again after each start.
                    if let Some(below) = below.filter(|_| !message.retain) {
                        let payload = String::from_utf8_lossy(message.payload).into_owned();
                        commands.push((below.to_owned(), payload));
                    }
                }
                _ => {}
            }
            ControlFlow::<()>::Continue(())
        })?;
        debug_assert!(handled.is_continue());
        if is_there {
            self.publish("status", "online", QoS::AtLeastOnce);
            for said in self.device.relays() {
                self.publish(&said.below, &said.payload, QoS::AtLeastOnce);
            }
            self.measure(self.simulation.interval.as_secs_f64());
        }
        for (below, payload) in commands {
            self.obey(&below, &payload);
        }
        Ok(())
    }

    fn obey(&mut self, below: &str, payload: &str) {
        match self.device.command(below, payload) {
            Ok(said) => {
                if !self.simulation.is_quiet {
                    say_line!("{}/{} is {}", self.topic, said.below, said.payload);
                }
                self.publish(&said.below, &said.payload, QoS::AtLeastOnce);
            }
            Err(why) => self
                .console
                .note(&format!("{}/{below}: {why}.", self.topic)),
        }
    }

    fn measure(&mut self, seconds: f64) {
        let qos = self.simulation.qos;
        for said in self.device.measure(seconds) {
            self.publish(&said.below, &said.payload, qos);
        }
    }

    fn publish(&mut self, below: &str, payload: &str, qos: QoS) {
        self.count += 1;
        let text = format!("{}/{below}", self.topic);
        let Ok(topic) = Topic::parse(&text) else {
            return;
        };
        let publish = Publish {
            dup: false,
            qos,
            retain: true,
            topic: Some(topic),
            packet_id: None,
            properties: self.simulation.common.properties.publish.view(),
            payload: payload.as_bytes(),
        };
        if let Some(mut link) = self.client.link()
            && let Err(error) = link.publish(self.count, &publish)
        {
            self.console
                .note(&format!("{text} cannot be published: {error}."));
        }
    }

    /// The last word, and DISCONNECT: the will is not needed.
    async fn good_bye(&mut self) {
        self.publish("status", "offline", QoS::AtLeastOnce);
        // It is the end; nobody can be told that the broker did not wait for it.
        let _ = self.client.leave(ReasonCode::Success).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_common::flags::table::Program;
    use mqtt_common::flags::{Parsed, parse};

    fn simulation(line: &str) -> Result<Simulation, UsageError> {
        let argv = std::iter::once("x")
            .chain(line.split_whitespace())
            .map(Into::into);
        match parse(Program::Bench, argv)? {
            Parsed::Said(said) => Simulation::new(&said),
            Parsed::Text(text) => panic!("got a text: {text}"),
        }
    }

    #[test]
    fn devices_have_names_and_topics_of_their_own() {
        let rooms = simulation("simulate hvac -c 50 -I lab- -q 1 --format json --seed 5").unwrap();
        assert_eq!(
            (rooms.topic_of(7), rooms.id_of(7)),
            ("hvac/room7".into(), "lab-7".into())
        );
        assert!(rooms.is_json && rooms.seed == 5);
        for (line, expected) in [
            ("simulate", "needs a word behind it"),
            ("simulate fridge", "There is no device 'fridge'"),
            ("simulate relay -c 2 -t lamp", "share the topic"),
            ("simulate relay -c 2 -i lamp", "all be called"),
            ("simulate relay --format xml", "means nothing"),
            ("simulate relay --interval 0", "more than nothing"),
            ("simulate relay --seed x", "needs a whole number"),
        ] {
            let error = simulation(line).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
