//! Where a topic leads is remembered between messages, and never longer than it is true.

use mqtt_testkit::world::{World, message};

#[test]
fn a_topic_that_is_published_to_all_the_time_finds_new_subscribers_and_no_old_ones() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    let clients = ["a", "b", "c"].map(|id| world.v5(id).connect());
    let filters = ["room/1", "room/+", "#", "$share/g/room/#", "other"];
    let publish = || {
        for n in 0..3 {
            publisher.publish(message("room/1", n.to_string()));
        }
    };
    let heard = |expected: [usize; 3]| {
        publish();
        let counts = [0, 1, 2].map(|at: usize| clients[at].texts().len());
        assert_eq!(counts, expected);
    };
    heard([0, 0, 0]);
    for filter in &filters[..3] {
        clients[0].subscribe(filter, 0);
    }
    heard([9, 0, 0]);
    clients[1].subscribe(filters[3], 0);
    clients[1].subscribe(filters[4], 0);
    heard([9, 3, 0]);
    clients[2].subscribe(filters[1], 0);
    heard([9, 3, 3]);
    clients[0].unsubscribe(filters[1]);
    heard([6, 3, 3]);
    clients[2].unsubscribe(filters[1]);
    clients[1].unsubscribe(filters[3]);
    heard([6, 0, 0]);
    // The places of the old ones in the tree are given to others.
    for n in 0..10 {
        clients[1].subscribe(&format!("elsewhere/{n}"), 0);
    }
    heard([6, 0, 0]);
    clients[0].disconnect();
    publish();
    clients[2].subscribe(filters[0], 0);
    publish();
    assert_eq!(clients[2].texts().len(), 3);
    assert_eq!(clients[1].texts().len(), 0);
}
