//! What a run is to do: who publishes, who hears it, how much of what, and until when.

use std::time::Duration;

use mqtt_common::options::Common;
use mqtt_net::ConnectOptions;
use mqtt_proto::client::WillMessage;
use mqtt_proto::{Filter, PropertiesBuf, QoS, Topic, TopicError, Version};

use crate::load::payload::Payload;
use crate::names::{self, Fill};

/// Whom a subscriber hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// The publisher with its own number.
    Partner,
    /// All publishers.
    All,
}

/// A whole run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The way to the broker, and how to open a session.
    pub common: Common,
    /// Addresses of this computer to connect from, in turn; if empty, the system chooses.
    pub sources: Vec<String>,
    /// A number that tells this run from others.
    pub run: u16,
    /// How many clients publish.
    pub publishers: usize,
    /// How many clients subscribe.
    pub subscribers: usize,
    /// Whom these hear.
    pub hearing: Hearing,
    /// The topic, with places to fill in.
    pub topic: String,
    /// The client identifier, with places to fill in; `None`: one that says what the client does.
    pub id: Option<String>,
    /// How many topics each publisher uses.
    pub topics: u64,
    /// The QoS of messages.
    pub qos: QoS,
    /// The QoS of subscriptions.
    pub subscribe_qos: QoS,
    /// Whether the broker is to keep the messages.
    pub retain: bool,
    /// The size of payloads, in bytes.
    pub size: usize,
    /// A text instead of bytes of that size.
    pub template: Option<String>,
    /// How many messages to publish; of a run that only hears: how many are waited for.
    pub messages: Option<u64>,
    /// How long to publish; of a run that only hears or is only there: how long it lasts.
    pub duration: Option<Duration>,
    /// Messages a second, all publishers together.
    pub rate: Option<f64>,
    /// Connections a second.
    pub connect_rate: Option<f64>,
    /// The most messages of one publisher that are on their way at once.
    pub window: Option<u64>,
    /// How long to wait for an answer, and for the last messages.
    pub wait: Duration,
    /// Whether subscribers subscribe, or find their subscriptions in sessions that were kept.
    pub subscribes: bool,
    /// Whether time begins when the first connection is opened, instead of when all are there.
    pub times_opening: bool,
}

/// How one client opens its session.
#[derive(Debug, Clone)]
pub struct Hello {
    /// The version to speak.
    pub version: Version,
    /// Its name.
    pub id: String,
    /// Whether an earlier session is to be forgotten.
    pub clean_start: bool,
    /// Seconds.
    pub keep_alive: u16,
    /// User name, if any.
    pub username: Option<String>,
    /// Password, if any.
    pub password: Option<Vec<u8>>,
    /// What the broker publishes if it vanishes.
    pub will: Option<WillMessage>,
    /// Properties of CONNECT.
    pub properties: PropertiesBuf,
}

/// What one client subscribes to.
#[derive(Debug, Clone)]
pub struct Filters {
    /// The filters.
    pub filters: Vec<Box<Filter>>,
    /// The QoS of all of them.
    pub qos: QoS,
    /// Properties of SUBSCRIBE.
    pub properties: PropertiesBuf,
}

/// A client's kind and its number among its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It publishes.
    Publisher(usize),
    /// It subscribes.
    Subscriber(usize),
}

impl Plan {
    /// How many clients there are.
    pub fn clients(&self) -> usize {
        self.publishers + self.subscribers
    }

    /// What the client at this place does: subscribers come first, so that they miss nothing.
    pub fn role(&self, place: usize) -> Role {
        match place.checked_sub(self.subscribers) {
            Some(number) => Role::Publisher(number),
            None => Role::Subscriber(place),
        }
    }

    /// How many subscribers hear each message.
    pub fn fan(&self) -> u64 {
        match self.hearing {
            Hearing::Partner => self.subscribers.min(1) as u64,
            Hearing::All => self.subscribers as u64,
        }
    }

    /// How many messages the publisher with this number sends.
    pub fn share(&self, number: usize) -> u64 {
        let Some(messages) = self.messages else {
            return u64::MAX;
        };
        let publishers = self.publishers as u64;
        messages / publishers + u64::from((number as u64) < messages % publishers)
    }

    /// The way of the client at this place.
    pub fn way(&self, place: usize) -> ConnectOptions {
        let mut way = self.common.way.clone();
        if !self.sources.is_empty() {
            way.local = Some(self.sources[place % self.sources.len()].clone());
        }
        way
    }

    /// How a client opens its session.
    pub fn hello(&self, role: Role) -> Hello {
        let session = &self.common.session;
        let (letter, index) = match role {
            Role::Publisher(number) => ('p', number),
            Role::Subscriber(number) => ('s', number),
        };
        let (username, id) = self.names(role);
        let fill = |text: &str| {
            let with = Fill {
                index,
                client_id: &id,
                username: username.as_deref().unwrap_or_default(),
            };
            names::fill(text, with, "")
        };
        let will = session.will.clone().map(|mut will| {
            if let Ok(topic) = Topic::parse(&fill(will.topic.as_str())) {
                will.topic = topic.into();
            }
            will
        });
        debug_assert!(matches!(letter, 'p' | 's'));
        Hello {
            version: session.version,
            clean_start: session.clean_start,
            keep_alive: session.keep_alive,
            password: session.password.clone(),
            properties: session.properties.clone(),
            will,
            id,
            username,
        }
    }

    /// User name and client identifier.
    fn names(&self, role: Role) -> (Option<String>, String) {
        let (letter, index) = match role {
            Role::Publisher(number) => ('p', number),
            Role::Subscriber(number) => ('s', number),
        };
        let mut with = Fill {
            index,
            ..Fill::default()
        };
        let username = self.common.session.username.as_deref();
        let username = username.map(|name| names::fill(name, with, ""));
        let id = match &self.id {
            None => format!("bench-{:04x}-{letter}{index}", self.run),
            Some(text) => {
                with.username = username.as_deref().unwrap_or_default();
                let id = names::fill(text, with, "");
                // Two clients of one name would push each other out.
                match role {
                    Role::Subscriber(_) if self.publishers > 0 => format!("{id}-sub"),
                    _ => id,
                }
            }
        };
        (username, id)
    }

    /// Whether messages can be told apart.
    pub fn is_marked(&self) -> bool {
        let template = self.template.as_deref();
        template.is_none_or(|text| text.contains("%m"))
    }

    /// What a publisher's messages say.
    pub fn payload_of(&self, number: usize) -> Payload {
        let (username, id) = self.names(Role::Publisher(number));
        match &self.template {
            _ if self.size == 0 => Payload::empty(),
            None => Payload::of_size(self.size),
            Some(text) => Payload::of_template(
                text,
                Fill {
                    index: number,
                    client_id: &id,
                    username: username.as_deref().unwrap_or_default(),
                },
            ),
        }
    }

    /// The topics of a publisher.
    ///
    /// # Errors
    /// What comes out is no topic.
    pub fn topics_of(&self, number: usize) -> Result<Vec<Box<Topic>>, TopicError> {
        let (username, id) = self.names(Role::Publisher(number));
        let with = Fill {
            index: number,
            client_id: &id,
            username: username.as_deref().unwrap_or_default(),
        };
        let topic = |n: u64| {
            let text = names::fill(&self.topic, with, &n.to_string());
            Topic::parse(&text).map(Into::into)
        };
        (0..self.topics).map(topic).collect()
    }

    /// What a subscriber subscribes to.
    ///
    /// # Errors
    /// What comes out is no filter.
    pub fn filters_of(&self, number: usize) -> Result<Filters, TopicError> {
        let filters = match self.hearing {
            Hearing::All => vec![Filter::parse(&names::filter(&self.topic))?.into()],
            Hearing::Partner => {
                let topics = self.topics_of(number)?;
                let filter = |topic: &Topic| Filter::parse(topic.as_str()).map(Into::into);
                topics
                    .iter()
                    .map(|topic| filter(topic))
                    .collect::<Result<Vec<_>, _>>()?
            }
        };
        Ok(Filters {
            filters,
            qos: self.subscribe_qos,
            properties: self.common.properties.subscribe.clone(),
        })
    }
}
