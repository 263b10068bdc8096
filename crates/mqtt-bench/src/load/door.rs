//! The way into the broker: not too many at once, and its name is looked up once only.

use std::cell::RefCell;

use mqtt_net::{ConnectError, Stream, Target};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::plan::Plan;

/// How many connections are being opened at once; more would overrun the queue of a listening socket.
const AT_ONCE: usize = 64;

/// What all clients connect through.
#[derive(Debug)]
pub struct Door {
    /// One may go first; when it is in, others follow.
    places: Semaphore,
    /// Where the first has found the broker.
    address: RefCell<Option<Target>>,
}

impl Door {
    /// A door that nobody has come through.
    pub fn new() -> Door {
        Door {
            places: Semaphore::new(1),
            address: RefCell::new(None),
        }
    }

    /// Connects the client at this place. The permit is dropped when it is ready, and lets another in.
    ///
    /// # Errors
    /// There is no connection.
    pub async fn connect(
        &self,
        plan: &Plan,
        place: usize,
    ) -> Result<(Stream, Option<SemaphorePermit<'_>>), ConnectError> {
        // It is never closed.
        let permit = self.places.acquire().await.ok();
        let mut way = plan.way(place);
        if let Some(address) = &*self.address.borrow() {
            way.target = address.clone();
        }
        let is_plain = way.tls.is_none() && way.proxy.is_none() && way.websocket.is_none();
        let is_first = self.places.available_permits() == 0 && self.address.borrow().is_none();
        let stream = mqtt_net::connect(&way).await?;
        if is_first {
            // A certificate, a proxy or a web server wants to know the name.
            let found = stream
                .peer_addr()
                .filter(|_| is_plain)
                .map(|it| Target::Tcp {
                    host: it.ip().to_string(),
                    port: it.port(),
                });
            *self.address.borrow_mut() = Some(found.unwrap_or(way.target));
            self.places.add_permits(AT_ONCE - 1);
        }
        Ok((stream, permit))
    }
}
