//! `conn`: connections that are held, or opened and closed again and again.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;
use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::signals::Signals;
use serde_json::Value;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use crate::figures::{count, nanos, number, of, per_second, span};
use crate::live::Live;
use crate::load::client::Client;
use crate::load::door::Door;
use crate::load::run::{Outcome, run as load};
use crate::load::shared::{Shared, histogram};
use crate::load::trouble::Trouble;
use crate::options::Options;
use crate::plan::{Plan, Role};
use crate::report::text::line;
use crate::report::{Form, data};
use crate::say::{say, say_line};

/// Shorter than any patience of a client.
const BEAT: Duration = Duration::from_secs(1);

/// What has come of connecting and disconnecting.
#[derive(Debug)]
pub struct Cycles {
    /// How often it worked.
    pub count: u64,
    /// How long all of it took.
    pub span: Duration,
    /// From the first byte of the handshake to CONNACK, in nanoseconds.
    pub times: Histogram<u64>,
    /// What ended it early.
    pub trouble: Option<Trouble>,
    /// Whether the user has ended it.
    pub interrupted: bool,
}

/// Does it and tells about it.
pub async fn run(options: &Options, console: &Console, signals: &mut Signals) -> Exit {
    match options.plan.messages {
        Some(_) => {
            let cycles = cycle(&options.plan, signals).await;
            if let Some(trouble) = &cycles.trouble {
                trouble.explain(&options.plan.common, console);
            }
            match options.form {
                Form::Text => say!("{}", told(&cycles)),
                Form::Json => say_line!("{:#}", Value::from_iter(fields(&cycles))),
                Form::Csv => say!("{}", data::lines(&fields(&cycles))),
            }
            cycles
                .trouble
                .map_or(Exit::DONE, |it| it.exit(&options.plan.common))
        }
        None => {
            let mut live = Live::new(&options.plan, !options.quiet);
            let outcome = load(&options.plan, &mut live, signals).await;
            if let Some(trouble) = &outcome.trouble {
                trouble.explain(&options.plan.common, console);
            }
            match options.form {
                Form::Text => say!("{}", held(&outcome)),
                Form::Json => say_line!("{}", data::json(options.command, &options.plan, &outcome)),
                Form::Csv => say!("{}", data::csv(options.command, &options.plan, &outcome)),
            }
            outcome
                .trouble
                .as_ref()
                .map_or(Exit::DONE, |it| it.exit(&options.plan.common))
        }
    }
}

fn held(outcome: &Outcome) -> String {
    let mut text = String::new();
    let rate = per_second(outcome.opened, outcome.opening);
    let value = format!(
        "{} in {}: {} a second",
        of(outcome.opened, "connection"),
        span(outcome.opening),
        number(rate)
    );
    line(&mut text, "opened", &value);
    if outcome.broken > 0 {
        line(&mut text, "connections lost", &count(outcome.broken));
    }
    text
}

fn fields(cycles: &Cycles) -> Vec<(&'static str, Value)> {
    let micros = |share: f64| match cycles.times.is_empty() {
        true => Value::Null,
        false => (cycles.times.value_at_quantile(share) as f64 / 1e3).into(),
    };
    vec![
        ("command", "conn".into()),
        ("connections", cycles.count.into()),
        ("seconds", cycles.span.as_secs_f64().into()),
        (
            "connections_per_second",
            per_second(cycles.count, cycles.span).into(),
        ),
        ("p50_us", micros(0.5)),
        ("p90_us", micros(0.9)),
        ("p99_us", micros(0.99)),
        ("p99.9_us", micros(0.999)),
        ("max_us", micros(1.0)),
    ]
}

fn told(cycles: &Cycles) -> String {
    let mut text = String::new();
    let rate = per_second(cycles.count, cycles.span);
    let value = format!(
        "{} in {}: {} a second",
        of(cycles.count, "time"),
        span(cycles.span),
        number(rate)
    );
    line(&mut text, "connected", &value);
    if !cycles.times.is_empty() {
        let at = |share: f64| nanos(cycles.times.value_at_quantile(share / 100.0));
        let value = format!(
            "half within {}, 99 % within {}, longest {}",
            at(50.0),
            at(99.0),
            nanos(cycles.times.max())
        );
        line(&mut text, "time to connect", &value);
    }
    text
}

/// Connects and disconnects as often as the plan says, with so many at once as it has subscribers.
pub async fn cycle(plan: &Plan, signals: &mut Signals) -> Cycles {
    LocalSet::new().run_until(cycle_here(plan, signals)).await
}

async fn cycle_here(plan: &Plan, signals: &mut Signals) -> Cycles {
    let start = Instant::now();
    let end = plan.duration.map(|duration| start + duration);
    let shared = Rc::new(Shared::new(plan.run, plan.clients(), 0, 0));
    let door = Rc::new(Door::new());
    let left = Rc::new(Cell::new(plan.messages.unwrap_or(u64::MAX)));
    let plan = Rc::new(plan.clone());
    let mut tasks = JoinSet::new();
    for place in 0..plan.clients() {
        let (plan, shared, left) = (Rc::clone(&plan), Rc::clone(&shared), Rc::clone(&left));
        let door = Rc::clone(&door);
        tasks.spawn_local(async move {
            let mut times = histogram();
            while left.get() > 0 && end.is_none_or(|end| Instant::now() < end) {
                left.set(left.get() - 1);
                pace(&plan, start, left.get()).await;
                match once(place, &plan, &shared, &door).await {
                    Ok(time) => times.saturating_record(time),
                    Err(trouble) => return (times, Some(trouble)),
                }
            }
            (times, None)
        });
    }
    let mut cycles = Cycles {
        count: 0,
        span: Duration::ZERO,
        times: histogram(),
        trouble: None,
        interrupted: false,
    };
    // With a timer that is due before all of theirs, the runtime does not wake itself for each that clients begin.
    let mut beat = tokio::time::interval(BEAT);
    loop {
        tokio::select! {
            _ = beat.tick() => {}
            ended = tasks.join_next() => match ended {
                None => break,
                Some(Ok((times, trouble))) => {
                    cycles.times += times;
                    if let Some(trouble) = trouble {
                        left.set(0);
                        cycles.trouble.get_or_insert(trouble);
                    }
                }
                Some(Err(_)) => {}
            },
            () = signals.stop() => {
                left.set(0);
                cycles.interrupted = true;
            }
        }
    }
    cycles.span = start.elapsed();
    cycles.count = shared.counts.opened.get();
    cycles
}

/// Waits until it is time for the next one.
async fn pace(plan: &Plan, start: Instant, left: u64) {
    if let (Some(rate), Some(all)) = (plan.connect_rate, plan.messages) {
        let number = all.saturating_sub(left + 1);
        if let Ok(after) = Duration::try_from_secs_f64(number as f64 / rate) {
            tokio::time::sleep_until(start + after).await;
        }
    }
}

/// One connection: there, and gone again.
async fn once(place: usize, plan: &Plan, shared: &Rc<Shared>, door: &Door) -> Result<u64, Trouble> {
    let hello = plan.hello(Role::Subscriber(place));
    let began = shared.clock.now();
    let (stream, _permit) = door.connect(plan, place).await?;
    let mut client = Client::new(place, Rc::clone(shared), stream, &hello);
    client.open(&hello, plan.wait).await?;
    let took = shared.clock.now() - began;
    client.close().await;
    Ok(took)
}
