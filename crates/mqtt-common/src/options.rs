//! What the flags that all clients share mean: where the broker is, and how to open the session.

mod credentials;
mod properties;
mod reconnect;
mod subscription;
mod tls;
mod topics;
mod url;
mod way;

use mqtt_net::ConnectOptions;
use mqtt_proto::client::{Options as SessionOptions, WillMessage};
use mqtt_proto::{EncodeError, PropertiesBuf, Property, QoS, Version};

use crate::flags::table::Program;
use crate::flags::{Given, Said, UsageError};
use crate::value;

use credentials::credentials;
pub use properties::PacketProperties;
pub(crate) use properties::properties_of;
pub use reconnect::Reconnect;
pub use subscription::subscription;
pub use topics::topics;
use way::Way;

/// How many messages at QoS 1 and 2 a broker may send at once (version 5).
const RECEIVE_MAXIMUM: u16 = 20;

/// Options that every client has.
#[derive(Debug, Clone)]
pub struct Common {
    /// The name the program was called by.
    pub name: String,
    /// The broker's name or address; the path of a Unix socket.
    pub host: String,
    /// The broker's port; 0 of a Unix socket.
    pub port: u16,
    /// The way to it.
    pub way: ConnectOptions,
    /// How to open the session; the properties of CONNECT and of the will are in it.
    pub session: SessionOptions,
    /// The properties of the other packets; only used in version 5.
    pub properties: PacketProperties,
    /// What to do when the connection is lost.
    pub reconnect: Reconnect,
    /// Whether to show every packet.
    pub debug: bool,
    /// Whether to keep silent about errors.
    pub quiet: bool,
}

impl Common {
    /// Judges what was said.
    ///
    /// # Errors
    /// A value means nothing, or two flags contradict each other.
    pub fn new(said: &Said) -> Result<Common, UsageError> {
        let mut way = Way::new(said)?;
        way.connect.tls = tls::tls(said, way.secure)?;
        let properties = PacketProperties::new(said)?;
        Ok(Common {
            name: said.name.clone(),
            host: way.host,
            port: way.port,
            way: way.connect,
            session: session(said, &properties)?,
            properties,
            reconnect: Reconnect::new(said)?,
            debug: said.has("debug"),
            quiet: said.has("quiet"),
        })
    }

    /// Lets a version 5 broker send at most `count` unacknowledged messages, as a client that wants
    /// just those and no others.
    ///
    /// # Errors
    /// None in practice: a property of two bytes always has a wire form.
    pub fn limit_receive(&mut self, count: u64) -> Result<(), EncodeError> {
        // What the user has said with -D counts more.
        if self.session.properties.view().receive_maximum().is_some() {
            return Ok(());
        }
        let maximum = u16::try_from(count)
            .unwrap_or(RECEIVE_MAXIMUM)
            .clamp(1, RECEIVE_MAXIMUM);
        match maximum.try_into() {
            Ok(maximum) => self
                .session
                .properties
                .push(Property::ReceiveMaximum(maximum)),
            Err(_) => Ok(()),
        }
    }
}

fn session(said: &Said, properties: &PacketProperties) -> Result<SessionOptions, UsageError> {
    let version = version(said)?;
    let mut options = SessionOptions::new(version);
    options.client_id = client_id(said, version)?;
    options.clean_start = !said.has("disable-clean-session");
    if let Some(seconds) = said.meaning("keepalive", value::keep_alive)? {
        options.keep_alive = seconds;
    }
    if let Some(count) = said.meaning("max-inflight", value::count)? {
        options.max_in_flight = u16::try_from(count).unwrap_or(u16::MAX);
    }
    let environment = |name: &str| std::env::var_os(name);
    (options.username, options.password) = credentials(said, version, environment)?;
    options.will = will(said, properties)?;
    let expiry = expiry(said, properties)?;
    let expiry = expiry.unwrap_or(if options.clean_start { 0 } else { u32::MAX });
    if version.is_v5() {
        options.properties = connect_properties(properties, expiry)
            .map_err(|error| UsageError::new(error.to_string()))?;
        options.disconnect_properties = properties.disconnect.clone();
    } else if said.has("property") {
        return Err(
            UsageError::new("-D is for MQTT 5, and -V behind it chooses another version")
                .hint("Leave out -V: -D selects version 5 by itself."),
        );
    }
    let kept = if version.is_v5() {
        expiry == u32::MAX
    } else {
        !options.clean_start
    };
    if kept && !said.has("id") {
        return Err(
            UsageError::new("A session that is kept needs a client identifier")
                .hint("Add -i with a name of your choice: the broker finds the session by it."),
        );
    }
    Ok(options)
}

/// How long the session is kept, as said by the later of `-x` and `-D`.
fn expiry(said: &Said, properties: &PacketProperties) -> Result<Option<u32>, UsageError> {
    let flag = said.meaning("session-expiry", value::session_expiry)?;
    let property = properties.connect.view().session_expiry_interval();
    let is_expiry = |given: &Given| {
        given.long == "property"
            && given.texts().is_ok_and(|words| {
                words[0].eq_ignore_ascii_case("connect") && words[1] == "session-expiry-interval"
            })
    };
    let is_last = said.in_order().rposition(is_expiry) > said.position("session-expiry");
    Ok(if is_last { property } else { flag })
}

/// What `-D` has said for CONNECT, with the session expiry in its place.
fn connect_properties(said: &PacketProperties, expiry: u32) -> Result<PropertiesBuf, EncodeError> {
    let mut properties = PropertiesBuf::new();
    if expiry > 0 {
        properties.push(Property::SessionExpiryInterval(expiry))?;
    }
    for property in said.connect.view() {
        if !matches!(property, Property::SessionExpiryInterval(_)) {
            properties.push(property)?;
        }
    }
    Ok(properties)
}

/// The last of the flags that choose a version.
fn version(said: &Said) -> Result<Version, UsageError> {
    let default = match said.program {
        Program::Pub | Program::Sub | Program::Bench => Version::V4,
        Program::Rr => Version::V5,
    };
    let asked = said.meaning("protocol-version", value::version)?;
    let asked = asked.unwrap_or(default);
    let implied = said
        .position("session-expiry")
        .max(said.position("property"));
    Ok(if implied > said.position("protocol-version") {
        Version::V5
    } else {
        asked
    })
}

fn client_id(said: &Said, version: Version) -> Result<String, UsageError> {
    let (id, prefix) = (said.text("id")?, said.text("id-prefix")?);
    let id = match (id, prefix) {
        (Some(_), Some(_)) => {
            return Err(UsageError::new("-i and -I cannot be used together")
                .hint("-i is the whole client identifier, -I only its beginning."));
        }
        (Some(id), None) => id.to_owned(),
        (None, Some(prefix)) => format!("{prefix}{}", std::process::id()),
        // MQTT 3.1 knows no empty identifier.
        (None, None) if version == Version::V3 => random_id()?,
        (None, None) => String::new(),
    };
    if id.len() > mqtt_proto::MAX_STRING || id.contains('\0') {
        return Err(UsageError::new(
            "The client identifier is longer than 65535 bytes or has a zero byte",
        ));
    }
    if version == Version::V3 && !(1..=23).contains(&id.chars().count()) {
        return Err(
            UsageError::new(format!("MQTT 3.1 allows 1 to 23 characters in '{id}'"))
                .hint("Choose a shorter client identifier, or another version with -V."),
        );
    }
    Ok(id)
}

/// A prefix and 18 random letters and digits: 23 characters, the most that MQTT 3.1 allows.
fn random_id() -> Result<String, UsageError> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = [0; 18];
    getrandom::fill(&mut random).map_err(|error| {
        UsageError::new(format!("The system gives no random numbers: {error}"))
            .hint("Add -i with a name.")
    })?;
    let letters = random
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
    Ok(format!("mqtt-{}", letters.collect::<String>()))
}

fn will(said: &Said, properties: &PacketProperties) -> Result<Option<WillMessage>, UsageError> {
    let Some(topic) = said.text("will-topic")? else {
        if !properties.will.view().is_empty() {
            return Err(
                UsageError::new("-D will is there, but no topic for the will")
                    .hint("Add --will-topic TOPIC"),
            );
        }
        return match ["will-payload", "will-retain", "will-qos"]
            .iter()
            .find(|flag| said.has(flag))
        {
            Some(flag) => Err(UsageError::new(format!(
                "{} is there, but no topic for the will",
                said.typed(flag)
            ))
            .hint("Add --will-topic TOPIC")),
            None => Ok(None),
        };
    };
    let payload = said.bytes("will-payload")?.unwrap_or_default();
    if payload.len() > mqtt_proto::MAX_STRING {
        return Err(UsageError::new(
            "The message of the will is longer than 65535 bytes",
        ));
    }
    Ok(Some(WillMessage {
        topic: value::topic("will", topic)?,
        payload,
        qos: said
            .meaning("will-qos", value::qos)?
            .unwrap_or(QoS::AtMostOnce),
        retain: said.has("will-retain"),
        properties: properties.will.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{Parsed, parse};

    fn common(line: &[&str]) -> Result<Common, UsageError> {
        let argv = std::iter::once("x")
            .chain(line.iter().copied())
            .map(Into::into);
        match parse(Program::Sub, argv)? {
            Parsed::Said(said) => Common::new(&said),
            Parsed::Text(text) => panic!("got a text: {text}"),
        }
    }

    #[track_caller]
    fn check_error(line: &[&str], expected: &str) {
        let error = common(line).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{line:?}: expected '{expected}' in '{error}'"
        );
    }

    #[test]
    fn without_flags_it_is_a_clean_3_1_1_session_on_localhost() {
        let common = common(&[]).unwrap();
        assert_eq!((common.host.as_str(), common.port), ("localhost", 1883));
        let session = common.session;
        assert_eq!(
            (session.version, session.clean_start, session.keep_alive),
            (Version::V4, true, 60)
        );
        assert_eq!(session.client_id, "");
        assert!(session.will.is_none() && session.username.is_none() && session.password.is_none());
    }

    #[test]
    fn the_port_may_stand_in_the_host() {
        assert_eq!(common(&["-h", "a:5"]).unwrap().port, 5);
        assert_eq!(common(&["-h", "a", "-p", "6"]).unwrap().port, 6);
        assert_eq!(common(&["a:7"]).unwrap().port, 7);
        check_error(&["-h", "a:5", "-p", "6"], "The port is 5 in -h and 6 in -p");
    }

    #[test]
    fn the_last_flag_that_implies_a_version_wins() {
        for (line, version) in [
            (&["-x", "1"][..], Version::V5),
            (&["-V", "311", "-x", "1"], Version::V5),
            (&["-x", "1", "-V", "311"], Version::V4),
            (&["-V", "31"], Version::V3),
        ] {
            assert_eq!(common(line).unwrap().session.version, version, "{line:?}");
        }
    }

    #[test]
    fn a_kept_session_needs_a_name() {
        check_error(&["-c"], "needs a client identifier");
        check_error(&["-c", "-I", "p"], "needs a client identifier");
        check_error(&["-x", "-1"], "needs a client identifier");
        assert!(!common(&["-c", "-i", "a"]).unwrap().session.clean_start);
        assert!(common(&["-x", "10"]).is_ok());
        assert!(common(&["-c", "-x", "10"]).is_ok());
        let forever = common(&["-c", "-i", "a", "-V", "5"]).unwrap().session;
        assert_eq!(
            forever.properties.view().session_expiry_interval(),
            Some(u32::MAX)
        );
    }

    #[test]
    fn client_identifiers_are_given_prefixed_or_random() {
        assert_eq!(common(&["-i", "Άννα"]).unwrap().session.client_id, "Άννα");
        let prefixed = common(&["-I", "p-"]).unwrap().session.client_id;
        assert_eq!(prefixed, format!("p-{}", std::process::id()));
        let random = common(&["-V", "31"]).unwrap().session.client_id;
        assert!(
            random.starts_with("mqtt-") && random.len() == 23,
            "got {random}"
        );
        check_error(&["-i", "a", "-I", "b"], "-i and -I cannot be used together");
        check_error(
            &["-V", "31", "-i", "a name of more than 23 letters"],
            "1 to 23 characters",
        );
    }

    #[test]
    fn properties_select_version_5_and_reach_connect_and_will() {
        let line = "-D connect user-property a b -D connect session-expiry-interval 9 -x 7 \
                    --will-topic w -D will will-delay-interval 3";
        let session = common(&line.split_whitespace().collect::<Vec<_>>())
            .unwrap()
            .session;
        assert_eq!(session.version, Version::V5);
        let properties = session.properties.view();
        assert_eq!(properties.session_expiry_interval(), Some(7));
        assert_eq!(properties.user_property(), Some(("a", "b")));
        let will = session.will.unwrap();
        assert_eq!(will.properties.view().will_delay_interval(), Some(3));
        let line = ["-x", "7", "-D", "connect", "session-expiry-interval", "9"];
        let session = common(&line).unwrap().session;
        assert_eq!(session.properties.view().session_expiry_interval(), Some(9));
        check_error(
            &["-D", "will", "content-type", "x"],
            "-D will is there, but no topic",
        );
        check_error(
            &["-D", "publish", "content-type", "x", "-V", "311"],
            "-D is for MQTT 5",
        );
    }

    #[test]
    fn a_receive_maximum_of_the_user_is_not_said_twice() {
        let mut common = common(&["-D", "connect", "receive-maximum", "3"]).unwrap();
        common.limit_receive(1).unwrap();
        let properties = common.session.properties.view();
        assert_eq!(properties.iter().count(), 1);
        assert_eq!(properties.receive_maximum(), Some(3));
    }

    #[test]
    fn the_number_of_messages_in_flight_has_a_flag() {
        assert_eq!(common(&["-M", "7"]).unwrap().session.max_in_flight, 7);
        assert_eq!(common(&[]).unwrap().session.max_in_flight, 20);
        assert_eq!(
            common(&["-M", "99999"]).unwrap().session.max_in_flight,
            65_535
        );
        check_error(&["-M", "0"], "-M needs a number of at least 1");
    }

    #[test]
    fn a_will_needs_a_topic() {
        let will = common(&[
            "--will-topic",
            "w",
            "--will-payload",
            "-",
            "--will-qos",
            "1",
            "--will-retain",
        ]);
        let will = will.unwrap().session.will.unwrap();
        assert_eq!(
            (
                will.topic.as_str(),
                &will.payload[..],
                will.qos,
                will.retain
            ),
            ("w", &b"-"[..], QoS::AtLeastOnce, true)
        );
        check_error(&["--will-payload", "x"], "--will-payload is there");
        check_error(&["--will-retain"], "--will-retain is there");
        check_error(&["--will-topic", "a/#"], "Invalid will topic");
    }

    #[test]
    fn a_password_without_a_name_is_for_version_5() {
        check_error(&["-P", "x"], "Add the user name");
        assert!(common(&["-P", "x", "-V", "5"]).is_ok());
        assert!(common(&["-u", "x"]).is_ok());
    }
}
