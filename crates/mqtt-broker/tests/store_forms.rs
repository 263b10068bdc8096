//! The stored form is versioned: an older one is migrated, whatever happens meanwhile; a newer one
//! is refused with a sentence and left as it is.

use mqtt_broker::store::migrate::{Bare, FORMS, Forms};
use mqtt_broker::store::tree::TreeStore;
use mqtt_broker::store::{Measure, Store, StoreError};
use mqtt_testkit::fuzz::Random;
use mqtt_testkit::world::disk::SimDisk;
use mqtt_testkit::world::{World, message};
use std::sync::Arc;

/// Turns the content of each entry round: what comes out is another form, which this broker cannot
/// read until it is turned round again.
fn turn_round(mut entry: Bare, put: &mut dyn FnMut(Bare)) {
    entry.content.reverse();
    put(entry);
}

/// Has nothing of retained messages any more.
fn leave_retained_out(entry: Bare, put: &mut dyn FnMut(Bare)) {
    const RETAINED: u8 = 6;
    if entry.key[0] != RETAINED {
        put(entry);
    }
}

const TURNED: Forms = Forms(&[turn_round]);
const TURNED_BACK: Forms = Forms(&[turn_round, turn_round]);
const LESS: Forms = Forms(&[turn_round, turn_round, leave_retained_out]);

/// A store in which there is one of everything.
fn disk() -> SimDisk {
    let disk = SimDisk::new();
    let world = World::with_store(&disk, |_| {});
    let reader = world.v5("reader").durable().connect();
    reader.subscribe("a/#", 2);
    let publisher = world.v5("p").durable().connect();
    publisher.deliver(message("a/1", "one").qos(1));
    publisher.deliver(message("a/2", "two").qos(2).retained());
    reader.cut();
    for n in 0..200 {
        publisher.deliver(message("a/4", format!("queued {n}")).qos(1));
    }
    let id = publisher.publish(message("a/3", "three").qos(2));
    publisher.expect_pubrec(id);
    world.restart(SimDisk::kill).expect("the store opens");
    drop(world);
    disk
}

fn open(disk: &SimDisk, forms: Forms) -> Result<TreeStore, StoreError> {
    TreeStore::open_of(Arc::new(disk.clone()), true, forms)
}

/// All that is in a store, in words, and how much of it makes no sense.
fn content(store: &mut TreeStore) -> (Vec<String>, usize) {
    let mut things = Vec::new();
    let found = store
        .restore(Measure::ALL, &mut |thing| things.push(format!("{thing:?}")))
        .expect("it can be read");
    (things, found.damaged)
}

#[test]
fn a_store_of_an_older_form_is_brought_to_the_newest_one_step_after_the_other() {
    let disk = disk();
    let (before, damaged) = content(&mut open(&disk, FORMS).expect("it opens"));
    assert_eq!((before.len(), damaged), (2 + 1 + 200 + 2 + 1 + 1, 0));

    let mut store = open(&disk, TURNED).expect("it is migrated");
    assert_eq!(store.migrated_from(), Some(1));
    let (things, damaged) = content(&mut store);
    assert_eq!((things.len(), damaged), (0, before.len()));
    drop(store);
    assert_eq!(open(&disk, TURNED).expect("it opens").migrated_from(), None);

    let mut store = open(&disk, TURNED_BACK).expect("it is migrated");
    assert_eq!(store.migrated_from(), Some(2));
    assert_eq!(content(&mut store), (before.clone(), 0));
    drop(store);

    let other = self::disk();
    let mut store = open(&other, LESS).expect("three steps at once");
    let (things, damaged) = content(&mut store);
    assert_eq!((things.len(), damaged), (before.len() - 1, 0));
}

#[test]
fn a_newer_form_is_refused_with_a_sentence_and_left_as_it_is() {
    let disk = disk();
    drop(open(&disk, TURNED).expect("it is migrated"));
    let Err(error) = open(&disk, FORMS) else {
        panic!("a store of form 2 was opened by one who knows form 1");
    };
    assert_eq!(
        error.to_string(),
        "it is of form 2, and this broker knows forms up to 1. Start the newer broker that wrote it"
    );
    drop(open(&disk, TURNED).expect("it is as it was"));
}

#[test]
fn a_migration_that_is_interrupted_has_not_begun() {
    let original = disk();
    let (before, _) = content(&mut open(&original, FORMS).expect("it opens"));
    let mut interrupted = 0;
    for steps in 0.. {
        let disk = original.copy();
        disk.fail_after(Some(steps));
        let is_done = open(&disk, LESS).is_ok();
        disk.lose_power(&mut Random::new(steps));
        match open(&disk, FORMS) {
            Ok(mut store) => {
                assert_eq!(
                    content(&mut store),
                    (before.clone(), 0),
                    "after {steps} steps"
                );
                interrupted += 1;
            }
            Err(StoreError::TooNew { found: 4, .. }) => {
                let (things, damaged) = content(&mut open(&disk, LESS).expect("it opens"));
                assert_eq!((things.len(), damaged), (before.len() - 1, 0));
            }
            Err(error) => panic!("after {steps} steps: {error}"),
        }
        if is_done {
            break;
        }
    }
    assert!(interrupted > 5, "only {interrupted} times");
}
