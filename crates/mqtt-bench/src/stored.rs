//! `retained` and `offline`: messages that the broker keeps until somebody comes for them.

use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::signals::Signals;
use mqtt_proto::{Property, QoS};
use serde_json::Value;

use crate::exit;
use crate::figures::{number, of, per_second, span};
use crate::load::run::{Outcome, Unwatched, Watch, run};
use crate::options::Options;
use crate::plan::{Hearing, Plan};
use crate::report::text::{line, processor, summary};
use crate::report::{Form, data};
use crate::say::{say, say_line};

/// How long the broker keeps the session of a subscriber that is away (version 5), in seconds.
const KEEP: u32 = 3600;
/// Messages that are given to the broker without its answer, at the most.
const WINDOW: u64 = 100;

/// Both parts: messages given to the broker, and fetched again.
#[derive(Debug)]
pub struct Stored {
    /// Giving them.
    pub given: Outcome,
    /// Fetching them; `None` if it did not come to that.
    pub fetched: Option<Outcome>,
}

/// `retained`: does it and tells about it.
pub async fn retained(options: &Options, console: &Console, signals: &mut Signals) -> Exit {
    let stored = retain(&options.plan, &mut Unwatched, signals).await;
    tell(options, &stored, console)
}

/// `offline`: does it and tells about it.
pub async fn offline(options: &Options, console: &Console, signals: &mut Signals) -> Exit {
    let stored = queue(&options.plan, &mut Unwatched, signals).await;
    tell(options, &stored, console)
}

fn tell(options: &Options, stored: &Stored, console: &Console) -> Exit {
    let plan = &options.plan;
    let given = &stored.given;
    let trouble = given.trouble.as_ref();
    let trouble = trouble.or(stored.fetched.as_ref().and_then(|it| it.trouble.as_ref()));
    if let Some(trouble) = trouble {
        trouble.explain(&plan.common, console);
    }
    let mut text = String::new();
    let value = format!(
        "{} in {}: {} a second",
        of(given.sent, "message"),
        span(given.span),
        number(per_second(given.sent, given.span))
    );
    line(&mut text, "given to the broker", &value);
    if let Some(fetched) = &stored.fetched {
        text.push_str(&summary(&fetching(plan), fetched));
    } else {
        processor(&mut text, given);
    }
    match options.form {
        Form::Text => say!("{text}"),
        Form::Json => say_line!("{:#}", Value::from_iter(fields(options, stored))),
        Form::Csv => say!("{}", data::lines(&fields(options, stored))),
    }
    match (&given.trouble, &stored.fetched) {
        (Some(trouble), _) => trouble.exit(&plan.common),
        (None, Some(fetched)) => exit::of(&fetching(plan), fetched),
        (None, None) => Exit::INTERRUPTED,
    }
}

/// The fetching, and how long the giving took.
fn fields(options: &Options, stored: &Stored) -> Vec<(&'static str, Value)> {
    let given = &stored.given;
    let outcome = stored.fetched.as_ref().unwrap_or(given);
    let mut fields = data::fields(options.command, &fetching(&options.plan), outcome);
    let is_of_giving = |name: &str| name.starts_with("published");
    fields.retain(|(name, _)| !is_of_giving(name));
    fields.push(("given", given.sent.into()));
    fields.push((
        "given_per_second",
        per_second(given.sent, given.span).into(),
    ));
    fields
}

/// Leaves retained messages, lets a new subscriber fetch them, and removes them. The fetching is watched.
pub async fn retain(plan: &Plan, watch: &mut dyn Watch, signals: &mut Signals) -> Stored {
    let mut giving = giving(plan);
    let messages = plan.messages.unwrap_or_default();
    giving.retain = true;
    // Only what is confirmed is known to be there.
    giving.qos = giving.qos.max(QoS::AtLeastOnce);
    giving.window = giving.window.map(|window| window.min(WINDOW));
    giving.topics = messages.div_ceil(plan.publishers as u64);
    let given = run(&giving, &mut Unwatched, signals).await;
    if given.trouble.is_some() || given.interrupted {
        return Stored {
            given,
            fetched: None,
        };
    }
    let mut fetching = fetching(plan);
    fetching.messages = Some(given.sent);
    let fetched = run(&fetching, watch, signals).await;
    let mut removing = giving;
    removing.size = 0;
    let removed = run(&removing, &mut Unwatched, signals).await;
    let mut stored = Stored {
        given,
        fetched: Some(fetched),
    };
    if let Some(fetched) = &mut stored.fetched {
        // What comes of retained messages has no order.
        fetched.late = 0;
        fetched.latencies.reset();
        fetched.trouble = fetched.trouble.take().or(removed.trouble);
    }
    stored
}

/// Publishes to subscribers that are away, and lets them fetch it. The fetching is watched.
pub async fn queue(plan: &Plan, watch: &mut dyn Watch, signals: &mut Signals) -> Stored {
    let mut away = fetching(plan);
    away.messages = Some(0);
    away.subscribes = true;
    keep(&mut away);
    // It is over as soon as all have subscribed.
    let left = run(&away, &mut Unwatched, signals).await;
    if left.trouble.is_some() || left.interrupted {
        return Stored {
            given: left,
            fetched: None,
        };
    }
    let giving = giving(plan);
    let given = run(&giving, &mut Unwatched, signals).await;
    let mut fetching = away.clone();
    fetching.subscribes = false;
    fetching.messages = Some(given.sent);
    let fetched = if given.trouble.is_none() && !given.interrupted {
        let mut fetched = run(&fetching, watch, signals).await;
        fetched.latencies.reset();
        Some(fetched)
    } else {
        None
    };
    // A clean session in its place: the broker need not keep anything.
    let mut clean = fetching;
    clean.common.session = plan.common.session.clone();
    clean.messages = Some(0);
    run(&clean, &mut Unwatched, signals).await;
    Stored { given, fetched }
}

/// Only the publishers.
fn giving(plan: &Plan) -> Plan {
    let mut giving = plan.clone();
    giving.subscribers = 0;
    giving
}

/// Only the subscribers, timed from the moment at which they connect.
pub fn fetching(plan: &Plan) -> Plan {
    let mut fetching = plan.clone();
    if plan.hearing == Hearing::All {
        fetching.subscribers = 1;
    }
    fetching.publishers = 0;
    fetching.duration = None;
    fetching.rate = None;
    fetching.times_opening = true;
    fetching
}

/// Lets the broker keep the sessions.
fn keep(plan: &mut Plan) {
    let session = &mut plan.common.session;
    session.clean_start = false;
    if session.version.is_v5() {
        // A property of four bytes always has a wire form.
        let _ = session
            .properties
            .push(Property::SessionExpiryInterval(KEEP));
    }
    debug_assert!(plan.subscribe_qos > QoS::AtMostOnce);
}
