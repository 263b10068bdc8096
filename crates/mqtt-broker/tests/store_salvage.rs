//! A store with a part that is damaged gives back all the rest.

use mqtt_broker::store::disk::Disk;
use mqtt_broker::store::tree::TreeStore;
use mqtt_broker::store::{Measure, Restored, Store, StoreError, salvage};
use mqtt_testkit::world::disk::SimDisk;
use mqtt_testkit::world::{World, message};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a crash leaves of a broker with three long queues.
fn crashed() -> SimDisk {
    let disk = SimDisk::new();
    let world = World::with_store(&disk, |settings| settings.max_queued_messages = usize::MAX);
    for id in ["a", "b", "c"] {
        let client = world.v5(id).durable().connect();
        client.subscribe("t/#", 1);
        client.cut();
    }
    let publisher = world.v4("p").connect();
    for n in 0..400 {
        publisher.deliver(message("t/1", format!("{n:0100}")).qos(1));
    }
    for n in 0..50 {
        publisher.deliver(message(&format!("r/{n}"), "kept").qos(1).retained());
    }
    // Not the world: it would close the file.
    disk.copy()
}

fn words(thing: &Restored) -> String {
    format!("{thing:?}")
}

fn open(disk: &SimDisk) -> Result<TreeStore, StoreError> {
    TreeStore::open(Arc::new(disk.clone()), true)
}

#[test]
fn of_a_file_with_a_damaged_page_all_else_can_be_read() {
    const PAGE: u64 = 4096;
    let original = crashed();
    let mut whole = BTreeSet::new();
    let mut store = open(&original.copy()).expect("it is not damaged");
    store
        .restore(Measure::ALL, &mut |thing| {
            whole.insert(words(&thing));
        })
        .expect("it can be read");
    assert_eq!(whole.len(), 3 + 3 + 3 * 400 + 50);

    let (mut refused, mut nearly_all) = (0, 0);
    for page in 1..original.size() / PAGE {
        let disk = original.copy();
        for bit in 0..8 {
            disk.damage(page * PAGE + 101 * u64::from(bit) + 3, bit);
        }
        match open(&disk) {
            Ok(_) => continue,
            Err(StoreError::Damaged(_)) => {}
            Err(error) => panic!("page {page}: {error}"),
        }
        refused += 1;
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let mut left = BTreeSet::new();
        let found = salvage::read(&disk, &mut |thing| {
            left.insert(words(&thing));
        });
        assert!(left.is_subset(&whole), "page {page} brings what never was");
        if left.len() < whole.len() {
            let damaged = found.map_or(1, |found| found.damaged);
            assert!(damaged > 0, "page {page}: nothing is said to be missing");
        }
        nearly_all += u32::from(left.len() * 10 >= whole.len() * 9);
    }
    assert!(refused > 30, "only {refused} pages mattered");
    assert!(
        nearly_all * 10 >= refused * 8,
        "nearly all was there in {nearly_all} of {refused} cases"
    );
}
