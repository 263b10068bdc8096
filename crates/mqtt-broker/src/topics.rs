//! Who hears what: subscriptions in a tree, shared subscriptions as groups at its nodes.

use crate::routes::{Route, Routes};
use crate::session::SessionKey;
use crate::trie::{NodeId, Trie, Value};
use mqtt_proto::{Filter, SubscriptionOptions, Topic, VarInt};
use std::cell::Cell;
use std::sync::Arc;

/// One session's subscription at one node.
#[derive(Clone, Copy, Debug)]
pub struct Subscriber {
    /// Whose it is.
    pub session: SessionKey,
    /// What was asked for.
    pub options: SubscriptionOptions,
    /// The subscription identifier, if the client gave one.
    pub identifier: Option<VarInt>,
}

/// The members of one `$share/NAME/FILTER`.
#[derive(Debug)]
struct Group {
    name: Arc<str>,
    /// The whole filter with `$share/NAME/` in front.
    filter: Arc<Filter>,
    members: Vec<Subscriber>,
    /// Whose turn is next.
    turn: Cell<usize>,
}

#[derive(Debug, Default)]
struct Leaf {
    /// Sorted by session.
    subscribers: Vec<Subscriber>,
    groups: Vec<Group>,
}

impl Value for Leaf {
    fn is_empty(&self) -> bool {
        self.subscribers.is_empty() && self.groups.is_empty()
    }
}

/// Where a session's subscription lies, so that it can be taken away without a search.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    node: NodeId,
    share: Option<Arc<str>>,
}

impl Place {
    /// Whether the subscription is shared.
    pub fn is_shared(&self) -> bool {
        self.share.is_some()
    }
}

/// How ready a member of a share group is to take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Readiness {
    /// It may not have this message.
    Never,
    /// It is away; the message would wait.
    Absent,
    /// It is here, but the message would wait.
    Busy,
    /// It can be sent now.
    Ready,
}

/// A subscription that a message is for.
#[derive(Clone, Debug)]
pub struct Target {
    /// Whose.
    pub session: SessionKey,
    /// Its options.
    pub options: SubscriptionOptions,
    /// Its identifier.
    pub identifier: Option<VarInt>,
    /// The shared subscription, if it is one.
    pub share: Option<Arc<Filter>>,
}

/// All subscriptions.
#[derive(Debug, Default)]
pub struct Topics {
    tree: Trie<Leaf>,
    routes: Routes,
    count: usize,
    shared: usize,
}

impl Topics {
    /// How many subscriptions there are, shared ones among them.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many of them are shared.
    pub fn shared(&self) -> usize {
        self.shared
    }

    /// Makes or replaces a subscription; returns where it lies and whether it is new.
    pub fn subscribe(&mut self, filter: &Filter, subscriber: Subscriber) -> (Place, bool) {
        let (share, path) = match filter.share() {
            Some((name, path)) => (Some(name), path),
            None => (None, filter),
        };
        let node = self.tree.entry(path);
        let leaf = self.tree.value_mut(node);
        if leaf.is_empty() {
            self.routes.forget();
        }
        let (list, share) = match share {
            None => (&mut leaf.subscribers, None),
            Some(name) => {
                let group = leaf.group_mut(name, filter);
                let name = group.name.clone();
                (&mut group.members, Some(name))
            }
        };
        let is_new = match list.binary_search_by_key(&subscriber.session, |s| s.session) {
            Ok(at) => {
                list[at] = subscriber;
                false
            }
            Err(at) => {
                if list.is_empty() {
                    list.reserve_exact(1);
                }
                list.insert(at, subscriber);
                true
            }
        };
        if is_new {
            self.count += 1;
            self.shared += usize::from(share.is_some());
        }
        (Place { node, share }, is_new)
    }

    /// Where a session's subscription to this filter lies.
    pub fn place(&self, filter: &Filter, session: SessionKey) -> Option<Place> {
        let (share, path) = match filter.share() {
            Some((name, path)) => (Some(name), path),
            None => (None, filter),
        };
        let node = self.tree.find(path)?;
        let leaf = self.tree.value(node);
        let (list, share) = match share {
            None => (&leaf.subscribers, None),
            Some(name) => {
                let group = leaf.groups.iter().find(|group| &*group.name == name)?;
                (&group.members, Some(group.name.clone()))
            }
        };
        list.binary_search_by_key(&session, |s| s.session).ok()?;
        Some(Place { node, share })
    }

    /// A session's subscription to this filter.
    pub fn subscriber(&self, filter: &Filter, session: SessionKey) -> Option<Subscriber> {
        let place = self.place(filter, session)?;
        let leaf = self.tree.value(place.node);
        let list = match &place.share {
            None => &leaf.subscribers,
            Some(name) => {
                let group = leaf.groups.iter().find(|group| group.name == *name)?;
                &group.members
            }
        };
        let at = list.binary_search_by_key(&session, |s| s.session).ok()?;
        Some(list[at])
    }

    /// Takes a subscription away.
    pub fn unsubscribe(&mut self, place: &Place, session: SessionKey) {
        let leaf = self.tree.value_mut(place.node);
        let list = match &place.share {
            None => Some(&mut leaf.subscribers),
            Some(name) => leaf
                .groups
                .iter_mut()
                .find(|group| group.name == *name)
                .map(|group| &mut group.members),
        };
        let Some(list) = list else { return };
        let Ok(at) = list.binary_search_by_key(&session, |s| s.session) else {
            return;
        };
        list.remove(at);
        self.count -= 1;
        self.shared -= usize::from(place.share.is_some());
        leaf.groups.retain(|group| !group.members.is_empty());
        if leaf.is_empty() {
            self.routes.forget();
        }
        self.tree.prune(place.node);
    }

    /// Looks up where a topic leads, for [`Topics::collect`]; may remember it for the next time.
    pub fn route(&mut self, topic: &Topic) -> Route {
        let route = self.routes.find(topic);
        self.learned(route, topic)
    }

    /// The same where the topic is likely the one whose route has this slot.
    #[inline]
    pub fn route_near(&mut self, slot: u16, topic: &Topic) -> Route {
        let route = self.routes.find_near(slot, topic);
        self.learned(route, topic)
    }

    #[inline]
    fn learned(&mut self, route: Route, topic: &Topic) -> Route {
        let Route::Again(slot) = route else {
            return route;
        };
        self.routes.learn(slot, topic, |nodes| {
            self.tree.for_each_match(topic, &mut |node, leaf| {
                if !leaf.is_empty() {
                    nodes.push(node);
                }
            });
        });
        Route::Known(slot)
    }

    /// The name of a topic, if it is kept somewhere already.
    pub fn known_name(&self, route: Route) -> Option<&Arc<Topic>> {
        match route {
            Route::Known(slot) => self.routes.topic(slot),
            Route::Again(_) | Route::New => None,
        }
    }

    /// The subscription that a message is for, where it is known to be for one that is not shared.
    pub fn only(&self, route: Route) -> Option<Target> {
        let Route::Known(slot) = route else {
            return None;
        };
        let [node] = self.routes.nodes(slot) else {
            return None;
        };
        let leaf = self.tree.value(*node);
        match (&leaf.subscribers[..], &leaf.groups[..]) {
            ([subscriber], []) => Some(subscriber.target(None)),
            _ => None,
        }
    }

    /// Appends every subscription that a message on `topic` is for: all that are not shared,
    /// and of each share group the one member that `readiness` speaks for most, in turn.
    ///
    /// `route` is what [`Topics::route`] has said of this topic, or [`Route::New`].
    pub fn collect(
        &self,
        topic: &Topic,
        route: Route,
        readiness: impl Fn(&Subscriber) -> Readiness,
        targets: &mut Vec<Target>,
    ) {
        if let Route::Known(slot) = route {
            for &node in self.routes.nodes(slot) {
                self.tree.value(node).collect(&readiness, targets);
            }
            return;
        }
        self.tree
            .for_each_match(topic, &mut |_, leaf| leaf.collect(&readiness, targets));
    }

    /// Chooses a member of one share group, for a message that another could not take.
    pub fn choose_member(
        &self,
        shared: &Filter,
        readiness: impl Fn(&Subscriber) -> Readiness,
    ) -> Option<Target> {
        let (name, path) = shared.share()?;
        let leaf = self.tree.value(self.tree.find(path)?);
        let group = leaf.groups.iter().find(|group| &*group.name == name)?;
        group
            .choose(&readiness)
            .map(|chosen| chosen.target(Some(group.filter.clone())))
    }
}

impl Leaf {
    fn collect(&self, readiness: &impl Fn(&Subscriber) -> Readiness, targets: &mut Vec<Target>) {
        let subscribers = self.subscribers.iter();
        targets.extend(subscribers.map(|subscriber| subscriber.target(None)));
        for group in &self.groups {
            if let Some(chosen) = group.choose(readiness) {
                targets.push(chosen.target(Some(group.filter.clone())));
            }
        }
    }

    fn group_mut(&mut self, name: &str, filter: &Filter) -> &mut Group {
        let at = self
            .groups
            .iter()
            .position(|group| &*group.name == name)
            .unwrap_or_else(|| {
                self.groups.push(Group {
                    name: Arc::from(name),
                    filter: Arc::from(filter),
                    members: Vec::new(),
                    turn: Cell::new(0),
                });
                self.groups.len() - 1
            });
        &mut self.groups[at]
    }
}

impl Group {
    /// The next member in turn among those that are most ready.
    fn choose(&self, readiness: &impl Fn(&Subscriber) -> Readiness) -> Option<&Subscriber> {
        let count = self.members.len();
        let start = self.turn.get() % count.max(1);
        let mut best: Option<(Readiness, usize)> = None;
        for step in 0..count {
            let at = (start + step) % count;
            let ready = readiness(&self.members[at]);
            if ready > Readiness::Never && best.is_none_or(|(least, _)| ready > least) {
                best = Some((ready, at));
            }
            if ready == Readiness::Ready {
                break;
            }
        }
        let (_, at) = best?;
        self.turn.set(at + 1);
        Some(&self.members[at])
    }
}

impl Subscriber {
    fn target(&self, share: Option<Arc<Filter>>) -> Target {
        Target {
            session: self.session,
            options: self.options,
            identifier: self.identifier,
            share,
        }
    }
}
