//! Passwords, user names and client identifiers in the engine: who comes in, when, and who has to go.

use mqtt_broker::auth::{Passwords, password_file};
use mqtt_broker::engine::settings::{CertificateName, Settings};
use mqtt_broker::log::Levels;
use mqtt_broker::peer::Secured;
use mqtt_passwd::{Algorithm, Hash};
use mqtt_proto::{Packet, ReasonCode, Version};
use mqtt_testkit::world::{World, message};
use std::sync::Arc;

/// A file with these users; hashed cheaply.
fn passwords(users: &[(&str, &str)]) -> Option<Arc<Passwords>> {
    let line = |(user, password): &(&str, &str)| {
        let hash = Hash::new(Algorithm::Sha512, 1, password.as_bytes()).expect("a hash");
        format!("{user}:{hash}\n")
    };
    let text: String = users.iter().map(line).collect();
    let (passwords, _) = password_file::parse("users", text.as_bytes()).expect("users");
    Some(Arc::new(passwords))
}

/// A broker with the users alice (one) and bob (two), and without anonymous clients.
fn world() -> World {
    World::with(|settings| {
        settings.log = Levels::ALL;
        settings.listeners[0].allow_anonymous = false;
        settings.listeners[0].passwords = passwords(&[("alice", "one"), ("bob", "two")]);
    })
}

fn reload(world: &World, change: impl FnOnce(&mut Settings)) {
    world.engine(|engine, now| {
        let mut settings = engine.settings().clone();
        change(&mut settings);
        engine.reload(now, settings);
    });
}

#[test]
fn the_right_password_lets_in_and_nothing_else_does() {
    for version in [Version::V3, Version::V4, Version::V5] {
        let world = world();
        world
            .dial(version, "c")
            .username("alice")
            .password("one")
            .connect();
        for dial in [
            world.dial(version, "c").username("alice").password("two"),
            world.dial(version, "c").username("alice").password(""),
            world.dial(version, "c").username("alice"),
            world.dial(version, "c").username("carol").password("one"),
            world.dial(version, "c").username("").password(""),
            world.dial(version, "c"),
        ] {
            dial.expect_refused(ReasonCode::NotAuthorized);
        }
    }
}

#[test]
fn names_are_asked_for_passwords_and_anonymous_clients_are_not() {
    let world = world();
    reload(&world, |settings| {
        settings.listeners[0].allow_anonymous = true;
    });
    world.v4("a").connect();
    world.v4("b").username("alice").password("one").connect();
    let refused = world.v4("b").username("alice").password("x");
    refused.expect_refused(ReasonCode::NotAuthorized);
    reload(&world, |settings| settings.listeners[0].passwords = None);
    world.v4("c").username("anybody").password("x").connect();
    reload(&world, |settings| {
        settings.listeners[0].allow_anonymous = false;
    });
    let refused = world.v4("d").username("anybody").password("x");
    refused.expect_refused(ReasonCode::NotAuthorized);
}

#[test]
fn what_is_sent_behind_connect_waits_for_the_password() {
    let world = world();
    world.check_passwords_late();
    let hears = world.v4("hears").username("bob").password("two").send();
    assert_eq!(world.check_passwords(), 1);
    assert_eq!(hears.connack().1, ReasonCode::Success);
    hears.subscribe("#", 1);
    let client = world.v5("c").username("alice").password("one").send();
    client.publish(message("t", "early").qos(1));
    client.send(&Packet::PingReq);
    hears.expect_nothing();
    client.expect_nothing();
    assert_eq!(world.check_passwords(), 1);
    assert_eq!(client.connack().1, ReasonCode::Success);
    assert_eq!(hears.hear().text(), "early");
    assert_eq!(world.logged("Received PINGREQ from c"), 1);
}

#[test]
fn what_is_sent_behind_a_wrong_password_is_not_read() {
    let world = world();
    world.check_passwords_late();
    let client = world.v5("c").username("alice").password("x").send();
    client.publish(message("t", "early").qos(1));
    world.check_passwords();
    assert_eq!(client.connack().1, ReasonCode::NotAuthorized);
    client.expect_closed();
    assert_eq!(world.logged("Received PUBLISH"), 0);
}

#[test]
fn a_session_is_taken_over_when_the_password_is_right_and_not_before() {
    let world = world();
    let first = world.v5("c").username("alice").password("one").connect();
    world.check_passwords_late();
    let wrong = world.v5("c").username("alice").password("two").send();
    let right = world.v5("c").username("alice").password("one").send();
    assert!(first.is_open());
    assert_eq!(world.check_passwords(), 2);
    assert_eq!(wrong.connack().1, ReasonCode::NotAuthorized);
    assert_eq!(right.connack().1, ReasonCode::Success);
    first.expect_disconnect(ReasonCode::SessionTakenOver);
}

#[test]
fn a_client_that_leaves_while_its_password_is_checked_is_forgotten() {
    let world = world();
    world.check_passwords_late();
    let gone = world.v5("gone").username("alice").password("one").send();
    gone.cut();
    // Another connection gets its place.
    let next = world.v5("next").username("bob").password("two").send();
    assert_eq!(world.check_passwords(), 2);
    assert_eq!(next.connack().1, ReasonCode::Success);
    assert_eq!(world.engine(|engine, _| engine.session_count()), 1);
}

#[test]
fn a_check_that_takes_too_long_ends_with_the_time_for_connect() {
    let world = world();
    world.check_passwords_late();
    let client = world.v5("c").username("alice").password("one").send();
    world.advance_seconds(29);
    assert!(client.is_open());
    world.advance_seconds(2);
    assert!(!client.is_open());
    world.check_passwords();
    assert_eq!(world.engine(|engine, _| engine.session_count()), 0);
}

#[test]
fn wrong_passwords_are_logged_without_what_was_typed() {
    let world = world();
    world
        .v4("c")
        .username("alice")
        .password("sesame")
        .expect_refused(ReasonCode::NotAuthorized);
    world
        .v4("c")
        .username("swordfish")
        .password("x")
        .expect_refused(ReasonCode::NotAuthorized);
    assert_eq!(world.logged("failed: wrong password for 'alice'."), 1);
    assert_eq!(world.logged("failed: there is no such user."), 1);
    assert_eq!(world.logged("disconnected: not authorised."), 2);
    for secret in ["sesame", "swordfish"] {
        assert_eq!(world.logged(secret), 0, "{secret}");
    }
}

#[test]
fn after_many_wrong_passwords_the_answers_of_that_address_are_held_back() {
    let world = world();
    let guess = || world.v5("c").username("alice").password("x").send();
    for _ in 0..15 {
        assert_eq!(guess().connack().1, ReasonCode::NotAuthorized);
    }
    let sixteenth = guess();
    sixteenth.expect_nothing();
    world.advance(std::time::Duration::from_millis(249));
    assert!(sixteenth.is_open());
    world.advance(std::time::Duration::from_millis(1));
    assert_eq!(sixteenth.connack().1, ReasonCode::NotAuthorized);
    assert_eq!(
        world.logged("These are 16 from this address; the answer is held back for 250 ms."),
        1
    );
    // Neither the right password nor other addresses wait.
    world.v5("own").username("alice").password("one").connect();
    world.come_from("10.0.0.2");
    world
        .v5("other")
        .username("alice")
        .password("x")
        .expect_refused(ReasonCode::NotAuthorized);
    // Time heals.
    world.come_from("10.0.0.1");
    world.advance_seconds(60);
    assert_eq!(guess().connack().1, ReasonCode::NotAuthorized);
}

#[test]
fn guesses_in_parallel_wait_for_each_other() {
    let world = world();
    let guess = || world.v5("c").username("alice").password("x").send();
    for _ in 0..15 {
        guess();
    }
    let held: Vec<_> = (0..8).map(|_| guess()).collect();
    // All places of this address are taken: not even the right password is looked at.
    let right = world.v5("own").username("alice").password("one").send();
    right.expect_nothing();
    world.come_from("10.0.0.2");
    world.v5("other").username("bob").password("two").connect();
    world.advance_seconds(1);
    assert_eq!(right.connack().1, ReasonCode::Success);
    world.advance_seconds(9);
    for client in held {
        assert_eq!(client.connack().1, ReasonCode::NotAuthorized);
    }
}

#[test]
fn many_clients_of_one_address_come_in_together() {
    let world = world();
    world.check_passwords_late();
    let clients: Vec<_> = (0..100)
        .map(|number| {
            world
                .v4(&format!("c{number}"))
                .username("bob")
                .password("two")
                .send()
        })
        .collect();
    while world.check_passwords() > 0 {}
    for client in clients {
        assert_eq!(client.connack().1, ReasonCode::Success);
    }
}

#[test]
fn a_reload_turns_out_who_could_not_come_in_again() {
    let world = world();
    let alice = world.v5("a").username("alice").password("one").connect();
    let bob = world.v4("b").username("bob").password("two").connect();
    // The same hashes, and one user less.
    let same = world.engine(|engine, _| engine.settings().listeners[0].passwords.clone());
    reload(&world, |settings| settings.listeners[0].passwords = same);
    assert!(alice.is_open() && bob.is_open());
    reload(&world, |settings| {
        settings.listeners[0].passwords = passwords(&[("bob", "three")]);
    });
    alice.expect_disconnect(ReasonCode::NotAuthorized);
    assert!(!bob.is_open(), "the password is another one");
    world.v4("b").username("bob").password("three").connect();
    reload(&world, |settings| {
        settings.listeners[0].allow_anonymous = true;
    });
    let nobody = world.v5("n").connect();
    reload(&world, |settings| {
        settings.listeners[0].allow_anonymous = false;
    });
    nobody.expect_disconnect(ReasonCode::NotAuthorized);
}

#[test]
fn a_reload_without_passwords_decides_about_those_who_wait() {
    let world = world();
    world.check_passwords_late();
    let waiting: Vec<_> = (0..9)
        .map(|number| {
            world
                .v5(&format!("c{number}"))
                .username("alice")
                .password("one")
                .send()
        })
        .collect();
    reload(&world, |settings| {
        settings.listeners[0].passwords = None;
        settings.listeners[0].allow_anonymous = true;
    });
    while world.check_passwords() > 0 {}
    for client in waiting {
        assert_eq!(client.connack().1, ReasonCode::Success);
    }
}

#[test]
fn identifiers_have_to_begin_as_the_broker_says() {
    let world = World::with(|settings| settings.clientid_prefixes = Some("lab-".into()));
    world.v4("lab-1").connect();
    for version in [Version::V4, Version::V5] {
        world
            .dial(version, "home-1")
            .expect_refused(ReasonCode::NotAuthorized);
        world
            .dial(version, "")
            .expect_refused(ReasonCode::NotAuthorized);
    }
}

#[test]
fn a_user_name_can_take_the_place_of_the_identifier() {
    let world = World::with(|settings| settings.listeners[0].use_username_as_clientid = true);
    let first = world.v5("x").username("alice").connect();
    let second = world.v5("y").username("alice").connect();
    first.expect_disconnect(ReasonCode::SessionTakenOver);
    assert!(second.connack.view().assigned_client_identifier().is_none());
    let assigned = world.v5("").username("bob").connect();
    assert_eq!(
        assigned.connack.view().assigned_client_identifier(),
        Some("bob")
    );
    for version in [Version::V4, Version::V5] {
        world
            .dial(version, "z")
            .expect_refused(ReasonCode::NotAuthorized);
        world
            .dial(version, "z")
            .username("")
            .expect_refused(ReasonCode::NotAuthorized);
    }
}

#[test]
fn a_certificate_names_the_user_and_no_password_is_asked_for() {
    for (which, expected) in [
        (CertificateName::Identity, "alice"),
        (CertificateName::Subject, "CN=alice,O=Lab"),
    ] {
        let world = world();
        reload(&world, |settings| {
            settings.listeners[0].certificate_name = Some(which);
        });
        world.come_secured(Some(Secured {
            identity: Some("alice".into()),
            subject: Some("CN=alice,O=Lab".into()),
            ..Secured::default()
        }));
        world.v5("c").username("somebody").connect();
        assert_eq!(world.logged(&format!("u'{expected}'")), 1);
        world.come_secured(Some(Secured::default()));
        let nameless = world.v5("d").username("alice").password("one");
        nameless.expect_refused(ReasonCode::BadUserNameOrPassword);
        world.come_secured(None);
        let plain = world.v4("d").username("alice").password("one");
        plain.expect_refused(ReasonCode::BadUserNameOrPassword);
    }
}
