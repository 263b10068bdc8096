//! A world whose broker has a store on a simulated disk, and can be killed.

use super::{BEGINNING, Inner, World};
use crate::world::disk::SimDisk;
use mqtt_broker::engine::Engine;
use mqtt_broker::engine::restore::Counts;
use mqtt_broker::engine::settings::Settings;
use mqtt_broker::journal::{Batch, Urgency};
use mqtt_broker::log::Levels;
use mqtt_broker::store::tree::TreeStore;
use mqtt_broker::store::{Store, StoreError};
use mqtt_broker::time::Time;
use std::sync::Arc;

/// The broker's store, and what stands between it and the engine.
pub(super) struct Shelf {
    disk: SimDisk,
    /// `None` while it is opened again.
    store: Option<TreeStore>,
    /// A batch that the engine has given and that is not stored.
    taken: Option<Batch>,
    /// Whether nothing is stored until the test says so.
    is_held: bool,
    has_refused: bool,
    /// What was restored the last time.
    restored: Counts,
    /// How many batches were stored.
    stored: u64,
}

impl World {
    /// A broker with a store on this disk, and with settings of one's own.
    ///
    /// # Panics
    /// If there is no store on the disk, and it is not empty.
    pub fn with_store(disk: &SimDisk, change: impl Fn(&mut Settings)) -> World {
        let world = World::with(&change);
        {
            let mut inner = world.inner.borrow_mut();
            inner.shelf = Some(Shelf::new(disk));
            let mut settings = Settings {
                log: Levels::DEFAULT,
                ..Settings::default()
            };
            change(&mut settings);
            inner.revive(settings).expect("the store can be opened");
        }
        world
    }

    /// The broker is killed, `happen` happens to its disk, and it starts again. All connections
    /// are cut; what was on its way is lost.
    ///
    /// # Errors
    /// The store cannot be opened.
    ///
    /// # Panics
    /// If this world has no store.
    pub fn restart(&self, happen: impl FnOnce(&SimDisk)) -> Result<Counts, StoreError> {
        let mut inner = self.inner.borrow_mut();
        for link in &mut inner.links {
            link.key = None;
            link.unread.clear();
            link.inbox.clear();
            link.seen = 0;
        }
        inner.held_up.clear();
        let settings = inner.engine.settings().clone();
        let shelf = inner.shelf.as_mut().expect("this world has a store");
        // A killed program writes nothing more, not even when it lets go of its file.
        shelf.disk.fail_after(Some(0));
        shelf.store = None;
        shelf.disk.fail_after(None);
        happen(&shelf.disk);
        let disk = shelf.disk.clone();
        inner.shelf = Some(Shelf::new(&disk));
        inner.revive(settings)?;
        Ok(inner.shelf.as_ref().expect("it was just made").restored)
    }

    /// From now on nothing is stored until [`World::store`] is called; or everything at once.
    pub fn hold_store(&self, is_held: bool) {
        let mut inner = self.inner.borrow_mut();
        if let Some(shelf) = &mut inner.shelf {
            shelf.is_held = is_held;
        }
        inner.settle();
    }

    /// Takes the next batch from the engine, if none is on its way to the store.
    pub fn take_batch(&self) {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        if let Some(shelf) = &mut inner.shelf {
            shelf.taken = shelf.taken.take().or_else(|| inner.engine.poll_batch());
        }
    }

    /// Stores what is on its way to the store, or else the next batch.
    pub fn store(&self) {
        let mut inner = self.inner.borrow_mut();
        if let Some(shelf) = &mut inner.shelf {
            shelf.has_refused = false;
        }
        inner.store_one();
        inner.settle();
    }

    /// The disk of its store.
    ///
    /// # Panics
    /// If this world has no store.
    pub fn disk(&self) -> SimDisk {
        let inner = self.inner.borrow();
        let shelf = inner.shelf.as_ref().expect("this world has a store");
        shelf.disk.clone()
    }

    /// How many batches were stored since the broker was started.
    ///
    /// # Panics
    /// If this world has no store.
    pub fn stored(&self) -> u64 {
        let inner = self.inner.borrow();
        inner.shelf.as_ref().expect("this world has a store").stored
    }
}

impl Shelf {
    fn new(disk: &SimDisk) -> Shelf {
        Shelf {
            disk: disk.clone(),
            store: None,
            taken: None,
            is_held: false,
            has_refused: false,
            restored: Counts::default(),
            stored: 0,
        }
    }
}

impl Inner {
    /// A new engine, with what the store has.
    fn revive(&mut self, settings: Settings) -> Result<(), StoreError> {
        let now: Time = self.now.max(BEGINNING);
        self.engine = Engine::new(settings, now);
        let head = self.engine.queue_head();
        let shelf = self.shelf.as_mut().expect("this world has a store");
        let mut store = TreeStore::open(Arc::new(shelf.disk.clone()), true)?;
        let mut restoring = self.engine.restore(now);
        let found = store.restore(head, &mut |thing| restoring.take(thing))?;
        assert_eq!(found.damaged, 0, "the store has damaged entries");
        shelf.restored = restoring.finish(found);
        store.forget_broken()?;
        shelf.store = Some(store);
        self.engine.handle_timeout(now);
        self.settle();
        Ok(())
    }

    /// Does what the store is to do now; whether that was anything.
    pub(super) fn tend_store(&mut self) -> bool {
        self.engine.open_gates();
        let Some(shelf) = &self.shelf else {
            return false;
        };
        if shelf.is_held || shelf.has_refused {
            return false;
        }
        self.store_one()
    }

    fn store_one(&mut self) -> bool {
        let Some(shelf) = &self.shelf else {
            return false;
        };
        let mut has_worked = false;
        // What the next batch has nothing of is read before it.
        if shelf.taken.is_none() && self.engine.can_read_ahead() {
            has_worked = self.load_wanted();
        }
        let Some(shelf) = &mut self.shelf else {
            return has_worked;
        };
        let Some(store) = &mut shelf.store else {
            return has_worked;
        };
        if let Some(batch) = shelf.taken.take().or_else(|| self.engine.poll_batch()) {
            has_worked = true;
            match store.commit(&batch) {
                Ok(left) => {
                    shelf.stored += 1;
                    self.engine.handle_left(left);
                    self.engine.handle_stored(batch.number);
                }
                Err(error) => {
                    shelf.taken = Some(batch);
                    shelf.has_refused = true;
                    self.engine.handle_refused(self.now, &error.to_string());
                    return true;
                }
            }
        }
        // What is wanted may be in the next batch: it is read when all are stored.
        if self.engine.batch_urgency() > Urgency::None {
            return has_worked;
        }
        self.load_wanted() || has_worked
    }

    fn load_wanted(&mut self) -> bool {
        let Some(store) = self.shelf.as_mut().and_then(|shelf| shelf.store.as_mut()) else {
            return false;
        };
        let mut has_worked = false;
        while self.engine.can_read_ahead()
            && let Some(wanted) = self.engine.poll_wanted()
        {
            has_worked = true;
            match store.load(wanted.serial, wanted.behind, wanted.part) {
                Ok(portion) => {
                    let deliveries = portion.deliveries;
                    self.engine.handle_loaded(self.now, wanted, deliveries);
                }
                Err(error) => {
                    let why = error.to_string();
                    self.engine.handle_unreadable(self.now, wanted, &why);
                }
            }
        }
        has_worked
    }
}
