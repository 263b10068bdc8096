//! The broker without its sockets: sessions, topics and retained messages, moved by packets and time.
//!
//! The engine does no I/O and has no clock. Whoever drives it
//!
//! 1. opens a connection with [`Engine::handle_open`] and hands over what was read with
//!    [`Engine::receive`];
//! 2. after any call takes the effects: [`Engine::poll_dirty`] names the connections that have
//!    something to write or are to be closed, [`Engine::poll_log`] the lines to log;
//! 3. writes [`Engine::outbox`] and reports it with [`Engine::handle_written`]; when a closing
//!    connection has nothing more to write, or a socket ends by itself, closes it and says so
//!    with [`Engine::handle_closed`];
//! 4. calls [`Engine::handle_timeout`] when [`Engine::poll_timeout`] says;
//! 5. checks the passwords of [`Engine::poll_login`] where that delays nobody, and says with
//!    [`Engine::handle_login`] whether they are right;
//! 6. with a store, takes the changes to be stored with [`Engine::poll_batch`] and says with
//!    [`Engine::handle_stored`] when they are.
//!
//! The order of effects is the order in which they must reach the world. Every call takes the
//! time, which never goes back.

mod access;
mod acknowledge;
mod admit;
pub mod behind;
pub mod congestion;
mod connect;
mod deliver;
mod disconnect;
pub mod durable;
mod logins;
mod memory;
mod mount;
mod note;
mod publish;
mod receive;
mod refusal;
mod reload;
pub mod restore;
pub mod settings;
mod subscribe;
mod timers;
mod waiting;
pub mod window;
mod write;

pub use crate::connection_state::ConnectionKey;
use crate::connection_state::{Connection, Entrance, Stage};
use crate::log::{Ending, Level, Line};
use crate::outbox::Outbox;
use crate::peer::Peer;
use crate::retained::RetainedMessages;
use crate::session::{Session, SessionKey};
use crate::spent::Spent;
use crate::sys::{Census, Counters};
use crate::time::Time;
use crate::topics::{Target, Topics};
pub use logins::Login;
use mqtt_proto::{Packet, PropertiesBuf, ReasonCode, Version};
use settings::Settings;
use slab::Slab;
use std::collections::HashMap;
use std::sync::Arc;
use timers::Timers;

/// Sessions by client identifier.
type ClientIds = HashMap<Arc<str>, SessionKey, foldhash::fast::RandomState>;

/// The broker's state and its rules. See the [module](self) for the contract.
pub struct Engine {
    settings: Settings,
    connections: Slab<Connection>,
    sessions: Slab<Session>,
    clients: ClientIds,
    topics: Topics,
    retained: RetainedMessages,
    timers: Timers,
    counters: Counters,
    /// Whether any client may not do everything; see [`Settings::has_acl`].
    has_acl: bool,
    /// Whether any listener has a mount point.
    has_mounts: bool,
    /// Counts up for every connection and session.
    serial: u64,
    /// Connections that are not yet reported closed, by listener.
    open: Vec<usize>,
    started: Time,
    /// What is to be stored; `None` without a store.
    durable: Option<Box<durable::Durable>>,
    logins: logins::Logins,
    /// Whether memory is short.
    is_full: bool,
    /// Subscribers that publishers wait for.
    congested: Vec<congestion::Congestion>,
    /// The one that whoever publishes now has to wait for.
    pause_for: Option<ConnectionKey>,
    /// How many messages the client that is heard now has acknowledged: it takes others for them.
    landed: u16,
    // Effects.
    dirty: Vec<ConnectionKey>,
    log: Vec<(Level, String)>,
    // Kept from call to call so that the steady path allocates nothing.
    targets: Vec<Target>,
    scratch: Vec<u8>,
    properties: PropertiesBuf,
    spare: Vec<Vec<u8>>,
    spent: Spent,
}

/// Why the engine ends a connection.
#[derive(Clone, Copy, Debug)]
struct Close<'a> {
    /// What a version 5 client is told by DISCONNECT, if anything.
    disconnect: Option<ReasonCode>,
    /// The end of the log line.
    ending: Ending<'a>,
}

/// How handling a packet ended: go on, or end the connection.
type Handled = Result<(), Close<'static>>;

impl Close<'static> {
    const fn told(reason: ReasonCode, ending: Ending<'static>) -> Close<'static> {
        Close {
            disconnect: Some(reason),
            ending,
        }
    }

    const fn silent(ending: Ending<'static>) -> Close<'static> {
        Close {
            disconnect: None,
            ending,
        }
    }

    const PROTOCOL: Close<'static> = Close::told(ReasonCode::ProtocolError, Ending::ProtocolError);
}

impl Engine {
    /// A broker without sessions.
    pub fn new(settings: Settings, now: Time) -> Engine {
        let open = vec![0; settings.listeners.len()];
        let mut engine = Engine {
            has_acl: settings.has_acl(),
            has_mounts: settings.has_mounts(),
            settings,
            connections: Slab::new(),
            sessions: Slab::new(),
            clients: ClientIds::default(),
            topics: Topics::default(),
            retained: RetainedMessages::default(),
            timers: Timers::default(),
            counters: Counters::default(),
            serial: 0,
            open,
            started: now,
            durable: None,
            logins: logins::Logins::default(),
            is_full: false,
            congested: Vec::new(),
            pause_for: None,
            landed: 0,
            dirty: Vec::new(),
            log: Vec::new(),
            targets: Vec::new(),
            scratch: Vec::new(),
            properties: PropertiesBuf::new(),
            spare: Vec::new(),
            spent: Spent::default(),
        };
        engine.start_timers(now);
        engine
    }

    /// What the broker has counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// The program has looked how many bytes of memory it uses.
    pub fn note_memory(&mut self, bytes: u64) {
        let maximum = self
            .counters
            .heap
            .map_or(bytes, |(_, maximum)| maximum.max(bytes));
        self.counters.heap = Some((bytes, maximum));
    }

    /// Whether any connection has something left to write.
    pub fn has_waiting(&self) -> bool {
        self.connections
            .iter()
            .any(|(_, connection)| !connection.outbox.is_empty())
    }

    /// What `$SYS` tells besides the counters.
    pub fn census(&self, now: Time) -> Census {
        let mut census = Census {
            uptime: now.since(self.started).as_secs(),
            connected: 0,
            total: self.sessions.len(),
            sockets: self.connections.len(),
            subscriptions: self.topics.count(),
            shared_subscriptions: self.topics.shared(),
            retained: self.retained.len(),
            stored: self.retained.len(),
            stored_bytes: self.retained.bytes(),
            waiting_bytes: 0,
            waiting: 0,
        };
        for (_, session) in &self.sessions {
            census.connected += usize::from(session.connection.is_some());
            census.stored +=
                session.queue_len() + usize::from(session.outgoing.len()) + session.incoming.len();
            census.stored_bytes += session.queued_bytes + session.behind.bytes;
        }
        for (_, connection) in &self.connections {
            census.waiting += usize::from(!connection.outbox.is_empty());
            census.waiting_bytes += connection.outbox.len();
        }
        census
    }

    /// How many sessions there are, connected or not.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// The rules in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether another connection at this listener would be one too many.
    pub fn is_full(&self, listener: usize) -> bool {
        let total: usize = self.open.iter().sum();
        self.open[listener] >= self.settings.listeners[listener].max_connections
            || total >= self.settings.global_max_connections
    }

    /// A connection was accepted by listener number `listener`.
    ///
    /// `token` is sixteen unpredictable bytes. `None`: a limit is reached, close it again.
    pub fn handle_open(
        &mut self,
        now: Time,
        peer: Peer,
        listener: usize,
        token: [u8; 16],
    ) -> Option<ConnectionKey> {
        let port = self.settings.listeners[listener].port;
        self.counters.sockets += 1;
        if self.is_full(listener) {
            self.log(Line::TooManyConnections {
                address: peer.host(),
            });
            return None;
        }
        if peer.is_known {
            let peer = &peer.address;
            self.log(Line::NewConnection { peer, port });
        }
        self.open[listener] += 1;
        self.serial += 1;
        let serial = self.serial;
        let index = self.connections.insert(Connection {
            serial,
            stage: Stage::Greeting,
            outbox: Outbox::default(),
            peer,
            entrance: Some(Box::new(Entrance {
                token,
                asked: None,
                refused_id: None,
            })),
            listener: u16::try_from(listener).unwrap_or(u16::MAX),
            version: Version::V4,
            is_dirty: false,
            is_paused: false,
            has_left: false,
            waits_for_connect_timer: false,
            pace: congestion::Pace::Even,
            last_heard: now,
            grace_ms: 0,
            max_packet_size: u32::MAX,
            receive_maximum: u16::MAX,
            window: window::Window::default(),
            alias_maximum: 0,
            slot: 0,
            aliases: None,
        });
        let key = ConnectionKey(u32::try_from(index).expect("fewer than 2^32 connections"));
        self.arm_connect_deadline(now, key);
        Some(key)
    }

    /// More is known of who is at the other end than when the connection was opened: what TLS has
    /// shown, or for whom a proxy comes.
    pub fn handle_introduced(&mut self, key: ConnectionKey, peer: Peer) {
        let connection = &mut self.connections[key.0 as usize];
        let was_known = std::mem::replace(&mut connection.peer, peer).is_known;
        let listener = usize::from(connection.listener);
        if !was_known {
            let port = self.settings.listeners[listener].port;
            self.log_peer(key, |peer| Line::NewConnection { peer, port });
        }
    }

    /// Who is at the other end of a connection.
    pub fn peer(&self, key: ConnectionKey) -> &Peer {
        &self.connections[key.0 as usize].peer
    }

    /// Connections that have something to write, or are to be closed; each is named once until
    /// it has been asked for here.
    pub fn poll_dirty(&mut self) -> Option<ConnectionKey> {
        let key = self.dirty.pop()?;
        self.connections[key.0 as usize].is_dirty = false;
        Some(key)
    }

    /// Whether any connection has something to write.
    pub fn has_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The next line to log, oldest first.
    pub fn poll_log(&mut self) -> std::vec::Drain<'_, (Level, String)> {
        self.log.drain(..)
    }

    /// Whether there is a line to log.
    pub fn has_log(&self) -> bool {
        !self.log.is_empty()
    }

    /// What a connection has to write.
    pub fn outbox(&self, key: ConnectionKey) -> &Outbox {
        &self.connections[key.0 as usize].outbox
    }

    /// Whether a connection is to be closed as soon as its outbox is empty.
    pub fn is_closing(&self, key: ConnectionKey) -> bool {
        self.connections[key.0 as usize].stage == Stage::Closing
    }

    /// Whether the client has sent DISCONNECT, behind which nothing comes.
    pub fn has_left(&self, key: ConnectionKey) -> bool {
        self.connections[key.0 as usize].has_left
    }

    /// The first `count` bytes of the outbox have been written.
    pub fn handle_written(&mut self, now: Time, key: ConnectionKey, count: usize) {
        let connection = &mut self.connections[key.0 as usize];
        connection.outbox.advance(count, &mut self.spare);
        self.counters.bytes_sent += count as u64;
        if let Stage::Live(session) = connection.stage {
            self.send_waiting(now, session);
            self.note_progress(key);
        }
    }

    #[inline]
    fn connection(&self, key: ConnectionKey) -> &Connection {
        &self.connections[key.0 as usize]
    }

    #[inline]
    fn connection_mut(&mut self, key: ConnectionKey) -> &mut Connection {
        &mut self.connections[key.0 as usize]
    }

    #[inline]
    fn session(&self, key: SessionKey) -> &Session {
        &self.sessions[key.0 as usize]
    }

    #[inline]
    fn session_mut(&mut self, key: SessionKey) -> &mut Session {
        &mut self.sessions[key.0 as usize]
    }

    /// Appends a packet to a connection's outbox; `false` if it is larger than the client takes
    /// [MQTT-3.1.2-24].
    fn send(&mut self, key: ConnectionKey, packet: &Packet<'_>) -> bool {
        self.mark_dirty(key);
        let connection = &mut self.connections[key.0 as usize];
        let (version, limit) = (connection.version, connection.max_packet_size as usize);
        let is_sent = connection.outbox.append(&mut self.spare, |out| {
            let before = out.len();
            // What the engine says itself fits the wire: identifiers and strings came off it.
            let encoded = packet.encode(version, out);
            debug_assert!(encoded.is_ok(), "{packet:?}");
            let fits = out.len() - before <= limit;
            if !fits {
                out.truncate(before);
            }
            fits
        });
        self.counters.messages_sent += u64::from(is_sent);
        is_sent
    }

    #[inline]
    fn mark_dirty(&mut self, key: ConnectionKey) {
        let connection = &mut self.connections[key.0 as usize];
        if !connection.is_dirty {
            connection.is_dirty = true;
            self.dirty.push(key);
        }
    }

    fn log(&mut self, line: Line<'_>) {
        if self.settings.log.contains(line.level()) {
            self.log.push((line.level(), line.to_string()));
        }
    }

    /// Logs a line of level debug that names the client of a session. Nearly always nobody wants
    /// it, and then it is not even put together.
    fn trace<'a>(&'a mut self, session: SessionKey, line: impl FnOnce(&'a str) -> Line<'a>) {
        if self.settings.log.contains(Level::Debug) {
            self.log_client(session, line);
        }
    }

    /// Logs a line that names the client of a session.
    fn log_client<'a>(&'a mut self, session: SessionKey, line: impl FnOnce(&'a str) -> Line<'a>) {
        let line = line(&self.sessions[session.0 as usize].client_id);
        if self.settings.log.contains(line.level()) {
            self.log.push((line.level(), line.to_string()));
        }
    }

    /// Logs a line that names the other end of a connection, by its address.
    fn log_peer<'a>(&'a mut self, key: ConnectionKey, line: impl FnOnce(&'a str) -> Line<'a>) {
        let line = line(&self.connections[key.0 as usize].peer.address);
        if self.settings.log.contains(line.level()) {
            self.log.push((line.level(), line.to_string()));
        }
    }

    /// The client identifier, or the address where there is none yet.
    fn client_name(&self, key: ConnectionKey) -> Arc<str> {
        let connection = self.connection(key);
        match connection.stage {
            Stage::Live(session) => self.session(session).client_id.clone(),
            _ => Arc::from(&*connection.peer.address),
        }
    }
}
