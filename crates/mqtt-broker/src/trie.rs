//! A tree over topic levels, shared by subscriptions and retained messages.
//!
//! A path is a topic name or a topic filter; each `/` goes one level down. `+` and `#` are
//! children like any other, but are also remembered in their parent, so that walking a topic
//! down all filters that match it looks each level up once.

use mqtt_proto::{Filter, Topic};
use slab::Slab;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// A place in the tree; valid while its value is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

const ROOT: NodeId = NodeId(0);

/// A value that can be nothing, so that its node can go.
pub trait Value: Default {
    /// Whether there is nothing in it.
    fn is_empty(&self) -> bool;
}

#[derive(Debug)]
struct Node<V> {
    parent: NodeId,
    name: Arc<str>,
    plus: Option<NodeId>,
    hash: Option<NodeId>,
    children: Children,
    value: V,
}

/// What lies below a node. Most nodes have one child, as in `room/17/temperature`, and need no map.
#[derive(Debug, Default)]
enum Children {
    #[default]
    None,
    /// Its name is in the child.
    One(NodeId),
    /// Sorted, so that a walk over retained messages can stop and go on later at the same place.
    #[allow(clippy::box_collection)] // A node without a map is smaller so.
    Many(Box<BTreeMap<Arc<str>, NodeId>>),
}

/// The tree.
#[derive(Debug)]
pub struct Trie<V> {
    nodes: Slab<Node<V>>,
}

impl<V: Value> Default for Trie<V> {
    fn default() -> Self {
        let mut nodes = Slab::new();
        nodes.insert(Node {
            parent: ROOT,
            name: Arc::from(""),
            plus: None,
            hash: None,
            children: Children::None,
            value: V::default(),
        });
        Trie { nodes }
    }
}

impl<V: Value> Trie<V> {
    fn node(&self, id: NodeId) -> &Node<V> {
        &self.nodes[id.0 as usize]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node<V> {
        &mut self.nodes[id.0 as usize]
    }

    fn child(&self, id: NodeId, name: &str) -> Option<NodeId> {
        match &self.node(id).children {
            Children::None => None,
            Children::One(child) => (*self.node(*child).name == *name).then_some(*child),
            Children::Many(children) => children.get(name).copied(),
        }
    }

    /// The children of a node in the order of their names, from this name on.
    fn children_from(
        &self,
        id: NodeId,
        from: Option<&str>,
    ) -> impl Iterator<Item = (&str, NodeId)> {
        let (one, many) = match &self.node(id).children {
            Children::None => (None, None),
            Children::One(child) => (Some((&*self.node(*child).name, *child)), None),
            Children::Many(children) => {
                let from = from.map_or(Bound::Unbounded, Bound::Included);
                (
                    None,
                    Some(children.range::<str, _>((from, Bound::Unbounded))),
                )
            }
        };
        one.into_iter()
            .filter(move |(name, _)| from.is_none_or(|from| *name >= from))
            .chain(
                many.into_iter()
                    .flatten()
                    .map(|(name, &child)| (&**name, child)),
            )
    }

    /// The value at a place.
    pub fn value(&self, id: NodeId) -> &V {
        &self.node(id).value
    }

    /// The value at a place, to change. After emptying it, call [`Trie::prune`].
    pub fn value_mut(&mut self, id: NodeId) -> &mut V {
        &mut self.node_mut(id).value
    }

    /// The place of a path that exists.
    pub fn find(&self, path: &str) -> Option<NodeId> {
        path.split('/')
            .try_fold(ROOT, |at, level| self.child(at, level))
    }

    /// The place of a path, made if need be.
    pub fn entry(&mut self, path: &str) -> NodeId {
        path.split('/')
            .fold(ROOT, |at, level| match self.child(at, level) {
                Some(child) => child,
                None => self.add_child(at, level),
            })
    }

    fn add_child(&mut self, parent: NodeId, level: &str) -> NodeId {
        let name: Arc<str> = Arc::from(level);
        let index = self.nodes.insert(Node {
            parent,
            name: name.clone(),
            plus: None,
            hash: None,
            children: Children::None,
            value: V::default(),
        });
        let id = NodeId(u32::try_from(index).expect("fewer than 2^32 nodes fit into memory"));
        let node = self.node_mut(parent);
        match level {
            "+" => node.plus = Some(id),
            "#" => node.hash = Some(id),
            _ => {}
        }
        match &mut node.children {
            Children::Many(children) => {
                children.insert(name, id);
            }
            Children::None => node.children = Children::One(id),
            Children::One(first) => {
                let first = *first;
                let first_name = self.node(first).name.clone();
                let children = BTreeMap::from([(first_name, first), (name, id)]);
                self.node_mut(parent).children = Children::Many(Box::new(children));
            }
        }
        id
    }

    /// Removes the node and its ancestors as far as nothing is in them or below them.
    pub fn prune(&mut self, mut id: NodeId) {
        while id != ROOT {
            let node = self.node(id);
            if !node.value.is_empty() || !matches!(node.children, Children::None) {
                return;
            }
            let gone = self.nodes.remove(id.0 as usize);
            let parent = self.node_mut(gone.parent);
            match &*gone.name {
                "+" => parent.plus = None,
                "#" => parent.hash = None,
                _ => {}
            }
            if let Children::Many(children) = &mut parent.children {
                children.remove(&gone.name);
                if children.is_empty() {
                    parent.children = Children::None;
                }
            } else {
                parent.children = Children::None;
            }
            id = gone.parent;
        }
    }

    /// The value of every place, in no order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.nodes.iter().map(|(_, node)| &node.value)
    }

    /// The path that leads to a place.
    #[cfg(test)]
    fn path(&self, id: NodeId) -> String {
        let mut levels = Vec::new();
        let mut at = id;
        while at != ROOT {
            levels.push(&*self.node(at).name);
            at = self.node(at).parent;
        }
        levels.reverse();
        levels.join("/")
    }

    /// Calls `found` for every stored filter that matches `topic`.
    pub fn for_each_match<F: FnMut(NodeId, &V)>(&self, topic: &Topic, found: &mut F) {
        self.match_topic(ROOT, Some(topic.as_str()), !topic.is_dollar(), found);
    }

    /// `rest` is what of the topic lies below `at`; `None` at its end.
    fn match_topic<F: FnMut(NodeId, &V)>(
        &self,
        at: NodeId,
        rest: Option<&str>,
        wildcards: bool,
        found: &mut F,
    ) {
        let node = self.node(at);
        if let Some(hash) = node.hash.filter(|_| wildcards) {
            found(hash, self.value(hash)); // "a/#" matches "a" too (MQTT 5, 4.7.1.2)
        }
        let Some(rest) = rest else {
            if at != ROOT {
                found(at, &node.value);
            }
            return;
        };
        let (level, below) = match rest.split_once('/') {
            Some((level, below)) => (level, Some(below)),
            None => (rest, None),
        };
        if let Some(plus) = node.plus.filter(|_| wildcards) {
            self.match_topic(plus, below, true, found);
        }
        if let Some(child) = self.child(at, level) {
            self.match_topic(child, below, true, found);
        }
    }

    /// Calls `found` for every stored topic that `filter` matches, in the order of the tree,
    /// beginning behind the path `after`; stops when it says `false`. Returns whether it came
    /// to the end.
    pub fn for_each_topic<F: FnMut(NodeId, &V) -> bool>(
        &self,
        filter: &Filter,
        after: Option<&str>,
        found: &mut F,
    ) -> bool {
        let mut walk = Walk { trie: self, found };
        walk.level(ROOT, Some(filter.as_str()), after, true)
    }
}

/// One walk over stored topics.
struct Walk<'t, 'f, V, F> {
    trie: &'t Trie<V>,
    found: &'f mut F,
}

impl<V: Value, F: FnMut(NodeId, &V) -> bool> Walk<'_, '_, V, F> {
    /// Handles the children of `at` that match the front of `filter`; `after` is what of the
    /// resume path lies below `at`, and everything up to it has been seen.
    fn level(
        &mut self,
        at: NodeId,
        filter: Option<&str>,
        after: Option<&str>,
        first: bool,
    ) -> bool {
        let Some(filter) = filter else { return true };
        let (wanted, below) = match filter.split_once('/') {
            Some((wanted, below)) => (wanted, Some(below)),
            None => (filter, None),
        };
        let (resume, resume_below) = match after.map(|path| path.split_once('/').ok_or(path)) {
            None => (None, None),
            Some(Ok((level, rest))) => (Some(level), Some(rest)),
            Some(Err(last)) => (Some(last), None),
        };
        if wanted != "+" && wanted != "#" {
            let Some(child) = self.trie.child(at, wanted) else {
                return true;
            };
            return match resume {
                Some(level) if wanted < level => true,
                Some(level) if wanted == level => {
                    self.child(child, wanted, below, resume_below, true)
                }
                _ => self.child(child, wanted, below, None, false),
            };
        }
        let trie = self.trie;
        for (name, child) in trie.children_from(at, resume) {
            if first && name.starts_with('$') {
                continue; // [MQTT-4.7.2-1]
            }
            let resumed = resume == Some(name);
            let after = if resumed { resume_below } else { None };
            if !self.child(child, wanted, below, after, resumed) {
                return false;
            }
        }
        true
    }

    /// Handles one matching child: itself, unless it was seen before the walk stopped, and below it.
    fn child(
        &mut self,
        id: NodeId,
        wanted: &str,
        below: Option<&str>,
        after: Option<&str>,
        seen: bool,
    ) -> bool {
        let node = self.trie.node(id);
        // The filter ends here, or goes on with "#", which takes this level in as well.
        let is_match = wanted == "#" || below.is_none() || below == Some("#");
        if is_match && !seen && !node.value.is_empty() && !(self.found)(id, &node.value) {
            return false;
        }
        let below = if wanted == "#" { Some("#") } else { below };
        self.level(id, below, after, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Value for u32 {
        fn is_empty(&self) -> bool {
            *self == 0
        }
    }

    fn paths(levels: &[&str]) -> Vec<String> {
        let mut all: Vec<String> = levels.iter().map(ToString::to_string).collect();
        for depth in 1..3 {
            let longer: Vec<String> = all
                .iter()
                .filter(|path| path.matches('/').count() == depth - 1)
                .flat_map(|path| levels.iter().map(move |level| format!("{path}/{level}")))
                .collect();
            all.extend(longer);
        }
        all.retain(|path| !path.is_empty());
        all
    }

    #[test]
    fn every_filter_finds_what_the_definition_of_matching_says() {
        let topics = paths(&["a", "b", "", "$x"]);
        let filters: Vec<String> = paths(&["a", "b", "", "$x", "+", "#"])
            .into_iter()
            .filter(|f| Filter::parse(f).is_ok())
            .collect();
        let mut by_filter = Trie::<u32>::default();
        let mut by_topic = Trie::<u32>::default();
        for filter in &filters {
            let id = by_filter.entry(filter);
            *by_filter.value_mut(id) = 1;
        }
        for topic in &topics {
            let id = by_topic.entry(topic);
            *by_topic.value_mut(id) = 1;
        }
        for topic in &topics {
            let topic = Topic::parse(topic).unwrap();
            let mut expected: Vec<&str> = filters
                .iter()
                .map(String::as_str)
                .filter(|f| Filter::parse(f).unwrap().matches(topic))
                .collect();
            let mut found = Vec::new();
            by_filter.for_each_match(topic, &mut |id, value| {
                if *value > 0 {
                    found.push(by_filter.path(id));
                }
            });
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected, "filters for {topic}");
        }
        for filter in &filters {
            let filter = Filter::parse(filter).unwrap();
            let mut expected: Vec<&str> = topics
                .iter()
                .map(String::as_str)
                .filter(|t| filter.matches(Topic::parse(t).unwrap()))
                .collect();
            expected.sort_unstable();
            // In steps of one: stop after each topic and go on behind it.
            let mut found: Vec<String> = Vec::new();
            while !by_topic.for_each_topic(
                filter,
                found.last().cloned().as_deref(),
                &mut |id, _| {
                    found.push(by_topic.path(id));
                    false
                },
            ) {}
            let mut at_once = Vec::new();
            assert!(by_topic.for_each_topic(filter, None, &mut |id, _| {
                at_once.push(by_topic.path(id));
                true
            }));
            assert_eq!(found, at_once, "resumed walk of {filter}");
            found.sort_unstable();
            assert_eq!(found, expected, "topics for {filter}");
        }
    }

    #[test]
    fn emptied_branches_leave_nothing_behind() {
        let mut trie = Trie::<u32>::default();
        let paths = ["a/b/c", "a/b", "a/+/#", "x"];
        for path in paths {
            let id = trie.entry(path);
            *trie.value_mut(id) = 1;
        }
        for path in paths {
            let id = trie.find(path).unwrap();
            *trie.value_mut(id) = 0;
            trie.prune(id);
            assert_eq!(trie.find(path).map(|id| *trie.value(id)).unwrap_or(0), 0);
        }
        assert_eq!(trie.nodes.len(), 1);
    }
}
