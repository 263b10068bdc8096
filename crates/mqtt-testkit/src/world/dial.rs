//! CONNECT in a simulated world, as a builder.

use super::{Client, Message, World};
use mqtt_proto::{Connect, Packet, PropertiesBuf, Property, ReasonCode, Topic, Version, Will};

/// A CONNECT in the making.
pub struct Dial {
    world: World,
    version: Version,
    id: String,
    clean_start: bool,
    keep_alive: u16,
    will: Option<Message>,
    username: Option<String>,
    password: Option<String>,
    properties: PropertiesBuf,
    listener: usize,
    window: usize,
}

impl Dial {
    pub(super) fn new(world: &World, version: Version, id: &str) -> Dial {
        Dial {
            world: world.clone(),
            version,
            id: id.to_owned(),
            clean_start: true,
            keep_alive: 0,
            will: None,
            username: None,
            password: None,
            properties: PropertiesBuf::new(),
            listener: 0,
            window: usize::MAX,
        }
    }

    /// Goes on with an earlier session, and asks for one that outlives the connection.
    #[must_use]
    pub fn durable(self) -> Dial {
        let dial = self.resuming();
        match dial.version {
            Version::V5 => dial.with(Property::SessionExpiryInterval(u32::MAX)),
            _ => dial,
        }
    }

    /// Goes on with an earlier session: clean start (clean session) is off.
    #[must_use]
    pub fn resuming(self) -> Dial {
        Dial {
            clean_start: false,
            ..self
        }
    }

    /// With this keep alive in seconds.
    #[must_use]
    pub fn keep_alive(self, keep_alive: u16) -> Dial {
        Dial { keep_alive, ..self }
    }

    /// With a will; its properties are the message's.
    #[must_use]
    pub fn will(self, will: Message) -> Dial {
        Dial {
            will: Some(will),
            ..self
        }
    }

    /// With a user name.
    #[must_use]
    pub fn username(self, name: &str) -> Dial {
        Dial {
            username: Some(name.to_owned()),
            ..self
        }
    }

    /// With a password.
    #[must_use]
    pub fn password(self, password: &str) -> Dial {
        Dial {
            password: Some(password.to_owned()),
            ..self
        }
    }

    /// With one more property.
    ///
    /// # Panics
    /// If the property is too long for the wire.
    #[must_use]
    pub fn with(mut self, property: Property<'_>) -> Dial {
        self.properties.push(property).expect("it fits the wire");
        self
    }

    /// At another listener than the first.
    #[must_use]
    pub fn listener(self, listener: usize) -> Dial {
        Dial { listener, ..self }
    }

    /// Reads only so many bytes of what the broker sends.
    #[must_use]
    pub fn reading(self, bytes: usize) -> Dial {
        Dial {
            window: bytes,
            ..self
        }
    }

    /// Opens a connection and sends CONNECT; whatever comes is left in the inbox.
    ///
    /// # Panics
    /// If the broker does not even take the connection.
    pub fn send(self) -> Client {
        let client = self
            .world
            .open(self.version, self.listener)
            .expect("the broker takes the connection");
        client.read_only(self.window);
        let will = self.will.as_ref().map(|will| Will {
            qos: will.quality(),
            retain: will.retain,
            topic: Topic::parse(&will.topic).expect("a will has a topic"),
            payload: &will.payload,
            properties: will.properties.view(),
        });
        client.send(&Packet::Connect(Connect {
            version: self.version,
            clean_start: self.clean_start,
            keep_alive: self.keep_alive,
            client_id: &self.id,
            will,
            username: self.username.as_deref(),
            password: self.password.as_deref().map(str::as_bytes),
            properties: self.properties.view(),
        }));
        client
    }

    /// Connects.
    ///
    /// # Panics
    /// If the answer is not a CONNACK with success.
    pub fn connect(self) -> Client {
        let mut client = self.send();
        let (present, reason, properties) = client.connack();
        assert_eq!(reason, ReasonCode::Success, "CONNACK refuses");
        client.session_present = present;
        client.connack = properties;
        client
    }

    /// Tries to connect, is refused with this code and cut off.
    ///
    /// # Panics
    /// If anything else happens.
    pub fn expect_refused(self, expected: ReasonCode) {
        let client = self.send();
        let (present, reason, _) = client.connack();
        assert_eq!((present, reason), (false, expected));
        client.expect_closed();
    }
}
