//! The broker's engine under a simulated clock: no sockets, no sleeping, the same run every time.
//!
//! A [`World`] does what the program does around the engine, in the engine's own words: it hands
//! over bytes, takes effects, and moves the time from timer to timer. Its [`Client`]s speak raw
//! packets; what the broker sends them lies in their inbox until the test looks.
//!
//! ```
//! use mqtt_testkit::world::{World, message};
//! use std::time::Duration;
//!
//! let world = World::new();
//! let (ann, bob) = (world.v5("ann").connect(), world.v4("bob").connect());
//! bob.subscribe("greeting/#", 1);
//! ann.publish(message("greeting/bob", "hello"));
//! assert_eq!(bob.hear(), message("greeting/bob", "hello"));
//! world.advance(Duration::from_secs(60));
//! ann.expect_nothing();
//! ```

mod client;
mod dial;
pub mod disk;
mod message;
mod store;

pub use client::Client;
pub use dial::Dial;
pub use message::{Message, message};

use mqtt_broker::engine::settings::Settings;
use mqtt_broker::engine::{ConnectionKey, Engine};
use mqtt_broker::log::{Level, Levels};
use mqtt_broker::peer::{Peer, Secured};
use mqtt_broker::time::Time;
use mqtt_proto::Version;
use std::cell::RefCell;
use std::fmt;
use std::io::IoSlice;
use std::rc::Rc;
use std::time::Duration;

/// The time at which a world begins, in milliseconds; not 0, so that nobody counts on that.
const BEGINNING: Time = Time(1_700_000_000_000);

/// A broker and its clients in a time of their own.
#[derive(Clone)]
pub struct World {
    inner: Rc<RefCell<Inner>>,
}

/// One line of the broker's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How long after the beginning it was written.
    pub at: Duration,
    /// Its level.
    pub level: Level,
    /// Its words.
    pub text: String,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.at, self.text)
    }
}

/// One connection as the world sees it.
#[derive(Default)]
struct Link {
    /// `None` once it is closed, by whichever side.
    key: Option<ConnectionKey>,
    /// What the client has sent and the engine has not taken yet.
    unread: Vec<u8>,
    /// What the broker has sent and the test has not looked at yet.
    inbox: Vec<u8>,
    /// How much of it the test has looked at.
    seen: usize,
    /// How many more bytes the client reads from its socket.
    window: usize,
}

struct Inner {
    engine: Engine,
    now: Time,
    links: Vec<Link>,
    /// Links by connection key.
    by_key: Vec<usize>,
    /// Links whose bytes the engine has not taken all.
    held_up: Vec<usize>,
    /// Whether passwords are checked only when a test says so.
    is_checking_late: bool,
    /// Where the next connections come from, and what they show.
    host: String,
    secured: Option<Box<Secured>>,
    /// The broker's store, if it has one.
    shelf: Option<store::Shelf>,
    log: Vec<LogLine>,
}

impl Default for World {
    fn default() -> World {
        World::new()
    }
}

impl World {
    /// A broker with the default settings, and the log lines that are written by default.
    pub fn new() -> World {
        World::with(|_| {})
    }

    /// A broker with settings of one's own. Publishers wait for no subscriber unless they say so.
    pub fn with(change: impl FnOnce(&mut Settings)) -> World {
        let mut settings = Settings {
            log: Levels::DEFAULT,
            patience_ms: 0,
            ..Settings::default()
        };
        change(&mut settings);
        let mut inner = Inner {
            engine: Engine::new(settings, BEGINNING),
            now: BEGINNING,
            links: Vec::new(),
            by_key: Vec::new(),
            held_up: Vec::new(),
            is_checking_late: false,
            host: "10.0.0.1".to_owned(),
            secured: None,
            shelf: None,
            log: Vec::new(),
        };
        inner.advance(Duration::ZERO);
        World {
            inner: Rc::new(RefCell::new(inner)),
        }
    }

    /// Lets time pass, from one of the engine's timers to the next.
    pub fn advance(&self, time: Duration) {
        self.inner.borrow_mut().advance(time);
    }

    /// As [`World::advance`], in seconds.
    pub fn advance_seconds(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    /// A client of MQTT 3.1 that may be connected.
    pub fn v3(&self, id: &str) -> Dial {
        Dial::new(self, Version::V3, id)
    }

    /// A client of MQTT 3.1.1 that may be connected.
    pub fn v4(&self, id: &str) -> Dial {
        Dial::new(self, Version::V4, id)
    }

    /// A client of MQTT 5 that may be connected.
    pub fn v5(&self, id: &str) -> Dial {
        Dial::new(self, Version::V5, id)
    }

    /// A client of this version that may be connected.
    pub fn dial(&self, version: Version, id: &str) -> Dial {
        Dial::new(self, version, id)
    }

    /// An open connection on which nothing has been sent; `None` if the broker does not take it.
    ///
    /// `version` says how to read the broker's answers.
    pub fn open(&self, version: Version, listener: usize) -> Option<Client> {
        let link = self.inner.borrow_mut().open(listener)?;
        Some(Client::new(self.clone(), link, version))
    }

    /// The log since the beginning, or since it was taken.
    pub fn log(&self) -> Vec<LogLine> {
        self.inner.borrow().log.clone()
    }

    /// Takes the log away.
    pub fn take_log(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.inner.borrow_mut().log)
    }

    /// How many lines of the log contain `text`.
    pub fn logged(&self, text: &str) -> usize {
        let inner = self.inner.borrow();
        inner.log.iter().filter(|l| l.text.contains(text)).count()
    }

    /// Looks at the engine, or does something to it; its effects are carried out.
    pub fn engine<R>(&self, work: impl FnOnce(&mut Engine, Time) -> R) -> R {
        let mut inner = self.inner.borrow_mut();
        let now = inner.now;
        let result = work(&mut inner.engine, now);
        inner.settle();
        result
    }

    /// From now on connections come from this address.
    pub fn come_from(&self, host: &str) {
        host.clone_into(&mut self.inner.borrow_mut().host);
    }

    /// From now on connections have been secured like this.
    pub fn come_secured(&self, secured: Option<Secured>) {
        self.inner.borrow_mut().secured = secured.map(Box::new);
    }

    /// From now on passwords are checked when [`World::check_passwords`] is called, and not before.
    pub fn check_passwords_late(&self) {
        self.inner.borrow_mut().is_checking_late = true;
    }

    /// Checks the passwords that wait for it; how many that were.
    pub fn check_passwords(&self) -> usize {
        let mut inner = self.inner.borrow_mut();
        let count = inner.check_passwords();
        inner.settle();
        count
    }

    /// The payload that is retained at one topic, as a new subscriber gets it.
    ///
    /// # Panics
    /// If a new subscriber gets more than one message.
    pub fn retained(&self, topic: &str) -> Option<String> {
        let looker = self.v5("").connect();
        looker.subscribe(topic, 0);
        let mut found = looker.hear_all();
        assert!(found.len() < 2, "{topic} has retained {found:?}");
        looker.disconnect();
        found.pop().map(|message| message.text())
    }
}

impl Inner {
    fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.engine.poll_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.engine.handle_timeout(self.now);
            self.settle();
            let next = self.engine.poll_timeout();
            assert!(
                next.is_none_or(|next| next > self.now),
                "a timer that is due is left over"
            );
        }
        self.now = end;
    }

    fn open(&mut self, listener: usize) -> Option<usize> {
        let number = self.links.len();
        let mut token = [0; 16];
        token[..8].copy_from_slice(&(number as u64).to_le_bytes());
        let peer = Peer {
            secured: self.secured.clone(),
            ..Peer::new(format!("{}:{}", self.host, 10_000 + number))
        };
        let opened = self.engine.handle_open(self.now, peer, listener, token);
        if let Some(key) = opened {
            let at = key.0 as usize;
            self.by_key
                .resize(self.by_key.len().max(at + 1), usize::MAX);
            self.by_key[at] = number;
            self.links.push(Link {
                key: Some(key),
                window: usize::MAX,
                ..Link::default()
            });
        }
        self.settle();
        opened.map(|_| number)
    }

    /// The client sends.
    fn send(&mut self, link: usize, bytes: &[u8]) {
        if self.links[link].key.is_some() {
            self.links[link].unread.extend_from_slice(bytes);
            self.read(link);
            self.settle();
        }
    }

    /// Hands the engine what a client has sent, unless that client is to read its answers first.
    fn read(&mut self, link: usize) {
        let Some(key) = self.links[link].key else {
            return;
        };
        let limit = self.engine.settings().max_outbox_bytes;
        if self.links[link].unread.is_empty() {
            return;
        }
        if self.engine.outbox(key).len() > limit
            || self.engine.is_asking(key)
            || self.engine.is_paused(key)
        {
            self.held_up.push(link);
            return;
        }
        let bytes = std::mem::take(&mut self.links[link].unread);
        let used = self.engine.receive(self.now, key, &bytes, None);
        self.links[link].unread = bytes[used..].to_vec();
        if self.engine.is_asking(key) || self.engine.is_paused(key) {
            self.held_up.push(link);
        }
    }

    /// Does what the program's threads do.
    fn check_passwords(&mut self) -> usize {
        let mut count = 0;
        while let Some(login) = self.engine.poll_login() {
            let password = login.password.as_deref();
            let is_right = login.passwords.verify(&login.username, password);
            self.engine
                .handle_login(self.now, login.connection, login.serial, is_right);
            count += 1;
        }
        count
    }

    /// The client's end of the socket is gone.
    fn cut(&mut self, link: usize, error: Option<&str>) {
        self.write(link);
        if let Some(key) = self.links[link].key.take() {
            self.links[link].unread.clear();
            self.engine.handle_closed(self.now, key, error);
        }
        self.settle();
    }

    /// Carries out effects until there are no more.
    fn settle(&mut self) {
        loop {
            while let Some(key) = self.engine.poll_dirty() {
                self.write(self.by_key[key.0 as usize]);
            }
            if !self.is_checking_late {
                self.check_passwords();
            }
            for link in std::mem::take(&mut self.held_up) {
                self.read(link);
            }
            if !self.engine.has_dirty() && !self.tend_store() && !self.engine.has_dirty() {
                break;
            }
        }
        let at = self.now.since(BEGINNING);
        self.log.extend(
            self.engine
                .poll_log()
                .map(|(level, text)| LogLine { at, level, text }),
        );
    }

    /// Carries bytes to a client as far as it reads, and closes what is to be closed.
    fn write(&mut self, at: usize) {
        let link = &mut self.links[at];
        let Some(key) = link.key else { return };
        while link.window > 0 && self.engine.outbox(key).ready() > 0 {
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = self.engine.outbox(key).slices(&mut slices);
            let mut count = 0;
            for slice in &slices[..filled] {
                let taken = slice.len().min(link.window - count);
                link.inbox.extend_from_slice(&slice[..taken]);
                count += taken;
            }
            // "Everything" stays everything.
            if link.window < usize::MAX {
                link.window -= count;
            }
            self.engine.handle_written(self.now, key, count);
        }
        if self.engine.is_closing(key) && self.engine.outbox(key).is_empty() {
            link.key = None;
            link.unread.clear();
            self.engine.handle_closed(self.now, key, None);
        }
    }
}
