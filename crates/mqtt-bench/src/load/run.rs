//! A run from the first connection to the last good-bye.

use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;
use mqtt_common::signals::Signals;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::client::{Client, Subscriber};
use super::door::Door;
use super::publisher::{Messages, Pace, Publisher};
use super::shared::{Phase, Shared, add, histogram};
use super::trouble::Trouble;
use crate::plan::{Plan, Role};
use crate::processor::Used;

/// How often a run looks at itself.
const TICK: Duration = Duration::from_millis(100);
/// After so long without any delivery, publishers that wait for their subscribers go on.
const STALL: Duration = Duration::from_millis(500);

/// What a run has come to so far.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// How far it is.
    pub phase: Phase,
    /// Since publishing began, or connections were opened.
    pub elapsed: Duration,
    /// Connections that are open.
    pub opened: u64,
    /// Messages published.
    pub sent: u64,
    /// Messages received.
    pub delivered: u64,
}

/// A moment of a run.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Since the beginning.
    pub at: Duration,
    /// Messages published since the sample before.
    pub sent: u64,
    /// Messages received, or confirmed if nobody hears.
    pub arrived: u64,
    /// Half of them took at most this long, in nanoseconds; 0 if there were none.
    pub median: u64,
    /// 99 of 100 took at most this long, in nanoseconds.
    pub p99: u64,
}

/// Somebody who watches a run.
pub trait Watch {
    /// The measured part begins.
    fn began(&mut self) {}
    /// A tenth of a second has passed.
    fn tick(&mut self, _progress: &Progress) {}
    /// The measured part is over.
    fn ended(&mut self) {}
}

/// Nobody watches.
pub struct Unwatched;
impl Watch for Unwatched {}

/// What has come of a run.
#[derive(Debug)]
pub struct Outcome {
    /// Connections opened.
    pub opened: u64,
    /// How long opening and subscribing took.
    pub opening: Duration,
    /// Messages published.
    pub sent: u64,
    /// Messages confirmed by the broker.
    pub confirmed: u64,
    /// Messages refused by the broker.
    pub refused: u64,
    /// How many should have been received.
    pub expected: u64,
    /// How many were, each once.
    pub delivered: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Messages received again.
    pub duplicates: u64,
    /// Messages received after later ones.
    pub late: u64,
    /// Messages of other programs.
    pub foreign: u64,
    /// Connections lost.
    pub broken: u64,
    /// From the beginning to the last message.
    pub span: Duration,
    /// Times on the way, in nanoseconds.
    pub latencies: Histogram<u64>,
    /// What this program used of a processor from the beginning to the end of the measured part.
    pub processor: Option<Used>,
    /// The run in tenths of a second.
    pub samples: Vec<Sample>,
    /// The first thing that went wrong.
    pub trouble: Option<Trouble>,
    /// Whether the user has ended it.
    pub interrupted: bool,
}

impl Outcome {
    /// Messages that should have come and have not.
    pub fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.delivered)
    }

    /// What share of one processor core this program used: 1 is all of it.
    pub fn load(&self) -> Option<f64> {
        self.processor.map(|used| used.share())
    }
}

/// Does what the plan says.
pub async fn run(plan: &Plan, watch: &mut dyn Watch, stop: &mut Signals) -> Outcome {
    LocalSet::new()
        .run_until(Director::new(plan).direct(watch, stop))
        .await
}

/// Directs one run.
struct Director {
    plan: Rc<Plan>,
    shared: Rc<Shared>,
    tasks: JoinSet<Result<u64, Trouble>>,
    total: Histogram<u64>,
    samples: Vec<Sample>,
    missing: u64,
    trouble: Option<Trouble>,
    interrupted: bool,
    /// What had been sent and had arrived at the last sample.
    before: (u64, u64),
}

impl Director {
    fn new(plan: &Plan) -> Director {
        let shared = Shared::new(plan.run, plan.clients(), plan.publishers, plan.fan());
        Director {
            plan: Rc::new(plan.clone()),
            shared: Rc::new(shared),
            tasks: JoinSet::new(),
            total: histogram(),
            samples: Vec::new(),
            missing: 0,
            trouble: None,
            interrupted: false,
            before: (0, 0),
        }
    }

    async fn direct(mut self, watch: &mut dyn Watch, stop: &mut Signals) -> Outcome {
        let opening = Instant::now();
        let (mut began, mut used) = (self.shared.clock.now(), Used::now());
        if self.plan.publishers == 0
            && let Some(goal) = self.plan.messages
        {
            self.shared.goal.set(goal);
        }
        if self.plan.times_opening {
            watch.began();
        }
        self.spawn();
        self.open(opening, watch, stop).await;
        let opened_after = opening.elapsed();
        let start = Instant::now();
        if !self.plan.times_opening {
            (began, used) = (self.shared.clock.now(), Used::now());
            watch.began();
        }
        let is_ready = self.trouble.is_none() && !self.interrupted;
        if is_ready {
            self.shared.enter(Phase::Running);
            self.work(start, watch, stop).await;
            self.drain(start, watch, stop).await;
        }
        watch.ended();
        let processor = used.and_then(|used| used.since());
        self.sample(start.elapsed());
        self.leave().await;
        self.outcome(began, opened_after, processor)
    }

    /// Begins to open all clients.
    fn spawn(&mut self) {
        let start = Instant::now();
        let door = Rc::new(Door::new());
        for place in 0..self.plan.clients() {
            let due = self.plan.connect_rate.map(|rate| {
                start + Duration::try_from_secs_f64(place as f64 / rate).unwrap_or_default()
            });
            let (plan, shared) = (Rc::clone(&self.plan), Rc::clone(&self.shared));
            let door = Rc::clone(&door);
            self.tasks.spawn_local(async move {
                if let Some(due) = due {
                    sleep_until(due).await;
                }
                attend(place, &plan, shared, &door).await
            });
        }
    }

    /// Waits until all clients are there.
    async fn open(&mut self, start: Instant, watch: &mut dyn Watch, stop: &mut Signals) {
        let shared = Rc::clone(&self.shared);
        let all = self.plan.clients() as u64;
        let mut ticks = ticks();
        while shared.counts.ready.get() < all && self.trouble.is_none() && !self.interrupted {
            tokio::select! {
                () = shared.changed.notified() => {}
                _ = ticks.tick() => self.tick(start, watch),
                Some(ended) = self.tasks.join_next() => self.note(ended),
                () = stop.stop() => self.interrupted = true,
            }
        }
    }

    /// Lets publishers publish until they have finished, or time is over.
    async fn work(&mut self, start: Instant, watch: &mut dyn Watch, stop: &mut Signals) {
        let shared = Rc::clone(&self.shared);
        let publishers = self.plan.publishers as u64;
        let end = self.plan.duration.map(|duration| start + duration);
        let (mut ticks, mut progress) = (ticks(), (0, start));
        loop {
            let counts = &shared.counts;
            let is_over = match publishers {
                0 => counts.delivered.get() >= shared.goal.get(),
                all => counts.finished.get() >= all,
            };
            if is_over || self.tasks.is_empty() || self.interrupted {
                return;
            }
            tokio::select! {
                () = shared.changed.notified() => {}
                _ = ticks.tick() => {
                    self.tick(start, watch);
                    let now = counts.delivered.get() + counts.confirmed.get();
                    if now != progress.0 {
                        progress = (now, Instant::now());
                    } else if progress.1.elapsed() > STALL {
                        shared.forgive();
                    }
                    if publishers == 0
                        && shared.goal.get() != u64::MAX
                        && progress.1.elapsed() > self.plan.wait
                    {
                        return;
                    }
                }
                () = until(end) => return,
                Some(ended) = self.tasks.join_next() => self.note(ended),
                () = stop.stop() => self.interrupted = true,
            }
        }
    }

    /// Waits for what is on its way, as long as something comes.
    async fn drain(&mut self, start: Instant, watch: &mut dyn Watch, stop: &mut Signals) {
        let shared = Rc::clone(&self.shared);
        if self.plan.publishers == 0 {
            return;
        }
        shared.enter(Phase::Draining);
        let counts = &shared.counts;
        let expected = counts.sent.get() * shared.fan;
        shared.goal.set(expected);
        let (mut ticks, mut progress) = (ticks(), (0, Instant::now()));
        let mut is_asked = false;
        while counts.delivered.get() < expected
            || counts.finished.get() < self.plan.publishers as u64
        {
            let now = counts.delivered.get() + counts.confirmed.get() + counts.finished.get();
            if now != progress.0 {
                progress = (now, Instant::now());
            }
            if progress.1.elapsed() > self.plan.wait || self.tasks.is_empty() || is_asked {
                return;
            }
            tokio::select! {
                () = shared.changed.notified() => {}
                _ = ticks.tick() => self.tick(start, watch),
                Some(ended) = self.tasks.join_next() => self.note(ended),
                () = stop.stop() => is_asked = true,
            }
        }
    }

    /// Lets everybody say good-bye.
    async fn leave(&mut self) {
        if self.trouble.is_some() && self.shared.phase() == Phase::Opening {
            self.tasks.abort_all();
        }
        self.shared.enter(Phase::Closing);
        while let Some(ended) = self.tasks.join_next().await {
            self.note(ended);
        }
    }

    fn note(&mut self, ended: Result<Result<u64, Trouble>, tokio::task::JoinError>) {
        match ended {
            Ok(Ok(missing)) => self.missing += missing,
            Ok(Err(trouble)) => {
                add(&self.shared.counts.broken, 1);
                self.trouble.get_or_insert(trouble);
            }
            // Only those that were told to stop end like this.
            Err(_) => {}
        }
    }

    fn tick(&mut self, start: Instant, watch: &mut dyn Watch) {
        let elapsed = start.elapsed();
        if self.shared.phase() >= Phase::Running {
            self.sample(elapsed);
        }
        let counts = &self.shared.counts;
        watch.tick(&Progress {
            phase: self.shared.phase(),
            elapsed,
            opened: counts.opened.get(),
            sent: counts.sent.get(),
            delivered: counts.delivered.get(),
        });
    }

    fn sample(&mut self, at: Duration) {
        let counts = &self.shared.counts;
        let arrived = if self.plan.subscribers > 0 {
            counts.delivered.get()
        } else {
            counts.confirmed.get()
        };
        let now = (counts.sent.get(), arrived);
        let mut latencies = self.shared.latencies.borrow_mut();
        let quantile = |q| {
            if latencies.is_empty() {
                0
            } else {
                latencies.value_at_quantile(q)
            }
        };
        self.samples.push(Sample {
            at,
            sent: now.0 - self.before.0,
            arrived: now.1 - self.before.1,
            median: quantile(0.5),
            p99: quantile(0.99),
        });
        self.before = now;
        self.total += &*latencies;
        latencies.reset();
    }

    fn outcome(self, began: u64, opening: Duration, processor: Option<Used>) -> Outcome {
        let counts = &self.shared.counts;
        let (sent, delivered) = (counts.sent.get(), counts.delivered.get());
        let expected = match (self.plan.publishers, self.plan.messages) {
            (0, Some(goal)) if self.plan.times_opening => goal,
            (0, _) => delivered + self.missing,
            _ => sent * self.shared.fan,
        };
        Outcome {
            opened: counts.opened.get(),
            opening,
            sent,
            confirmed: counts.confirmed.get(),
            refused: counts.refused.get(),
            expected,
            delivered,
            bytes: counts.bytes.get(),
            duplicates: counts.duplicates.get(),
            late: counts.late.get(),
            foreign: counts.foreign.get(),
            broken: counts.broken.get(),
            span: Duration::from_nanos(counts.last.get().saturating_sub(began)),
            latencies: self.total,
            processor,
            samples: self.samples,
            trouble: self.trouble,
            interrupted: self.interrupted,
        }
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// One client's whole life; what is missing in streams of which only it knows.
async fn attend(
    place: usize,
    plan: &Plan,
    shared: Rc<Shared>,
    door: &Door,
) -> Result<u64, Trouble> {
    let role = plan.role(place);
    let hello = plan.hello(role);
    let (stream, permit) = door.connect(plan, place).await?;
    let mut client = Client::new(place, Rc::clone(&shared), stream, &hello);
    match role {
        Role::Publisher(number) => {
            client.publisher = Some(publisher(number, place, plan)?);
            if plan.subscribers == 0 {
                client.time_confirmations();
            }
        }
        Role::Subscriber(_) => {
            // Who hears only has no messages of its own.
            let hears_others = plan.publishers == 0;
            client.subscriber = Some(Subscriber::new(plan.run, hears_others, !plan.is_marked()));
        }
    }
    client.open(&hello, plan.wait).await?;
    if let (Role::Subscriber(number), true) = (role, plan.subscribes) {
        let filters = plan.filters_of(number).map_err(Trouble::Topic)?;
        client.subscribe(&filters, plan.wait).await?;
    }
    drop(permit);
    add(&shared.counts.ready, 1);
    shared.changed.notify_one();
    if let Err(trouble) = client.serve().await {
        client.abandon();
        return Err(trouble);
    }
    let missing = client
        .subscriber
        .as_ref()
        .map_or(0, |subscriber| subscriber.streams.missing_from_others());
    client.close().await;
    Ok(missing)
}

fn publisher(number: usize, place: usize, plan: &Plan) -> Result<Publisher, Trouble> {
    let messages = Messages {
        topics: plan.topics_of(number).map_err(Trouble::Topic)?,
        qos: plan.qos,
        retain: plan.retain,
        properties: plan.common.properties.publish.view(),
        payload: plan.payload_of(number),
    };
    let pace = plan.rate.map(|rate| Pace {
        rate: rate / plan.publishers as f64,
        offset: 1.0 - number as f64 / plan.publishers as f64,
    });
    let name = (u32::try_from(number).unwrap_or(u32::MAX), place);
    let (version, count) = (plan.common.session.version, plan.share(number));
    Ok(Publisher::new(
        name,
        version,
        &messages,
        count,
        plan.window,
        pace,
    )?)
}
