//! A wire between a client and a broker that a test can cut: after so many bytes, or for good.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Where connections go to, and how long they last.
#[derive(Debug, Default)]
struct Plan {
    target: Option<SocketAddr>,
    /// For each of the next connections: after how many bytes of the client's it is cut.
    cuts: Vec<usize>,
}

/// A listening socket on loopback whose connections end at a broker.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
}

impl Relay {
    /// Listens, and passes connections on. The first ones are cut after as many bytes from the client
    /// as `cuts` says, one number for each; all later ones last.
    ///
    /// # Panics
    /// If loopback cannot be listened on.
    pub fn new(target: SocketAddr, cuts: &[usize]) -> Relay {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let plan = Arc::new(Mutex::new(Plan {
            target: Some(target),
            cuts: cuts.iter().rev().copied().collect(),
        }));
        let shared = Arc::clone(&plan);
        // It ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (target, cut) = {
                    let mut plan = shared.lock().expect("nobody panics with the plan");
                    (plan.target, plan.cuts.pop())
                };
                if let Some(Ok(broker)) = target.map(TcpStream::connect) {
                    pass(client, broker, cut.unwrap_or(usize::MAX));
                }
            }
        });
        Relay { address, plan }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Sends connections that are opened from now on elsewhere; `None` closes them at once.
    ///
    /// # Panics
    /// If another thread has panicked with the plan.
    pub fn lead_to(&self, target: Option<SocketAddr>) {
        let mut plan = self.plan.lock().expect("nobody panics with the plan");
        plan.target = target;
    }

    /// Whether all cuts have been made, or their connections at least opened.
    ///
    /// # Panics
    /// As [`lead_to`](Self::lead_to).
    pub fn is_through(&self) -> bool {
        let plan = self.plan.lock().expect("nobody panics with the plan");
        plan.cuts.is_empty()
    }
}

fn pass(client: TcpStream, broker: TcpStream, cut: usize) {
    let clone = |stream: &TcpStream| stream.try_clone().expect("a socket can be shared");
    for stream in [&client, &broker] {
        stream.set_nodelay(true).expect("TCP has this option");
    }
    let (back_from, back_to) = (clone(&broker), clone(&client));
    thread::spawn(move || copy(back_from, back_to, usize::MAX));
    thread::spawn(move || copy(client, broker, cut));
}

/// Copies up to `limit` bytes; then, or at the end, nothing passes any more in either direction.
fn copy(mut from: TcpStream, mut to: TcpStream, mut limit: usize) {
    let mut block = [0; 4096];
    while limit > 0 {
        let room = block.len().min(limit);
        let Ok(count @ 1..) = from.read(&mut block[..room]) else {
            break;
        };
        limit -= count;
        if to.write_all(&block[..count]).is_err() {
            break;
        }
    }
    if limit == 0 {
        // A cut wire takes what was on it; a plain end is passed on, and the other side may go on.
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    } else {
        let _ = to.shutdown(Shutdown::Write);
    }
}
