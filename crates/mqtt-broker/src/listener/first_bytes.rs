//! MQTT, TLS, HTTP and the header of a proxy all begin with the client. On Linux the system keeps
//! a connection until its client has said something, for a second at most: then it comes in
//! together with its CONNECT, which saves the broker a turn and often a sleep, and one that only
//! knocks and goes costs no socket.

use socket2::Socket;

/// Has connections kept until their first bytes are there, where the system can.
#[cfg(target_os = "linux")]
pub(super) fn wait_for(listening: &Socket) {
    use nix::libc::{IPPROTO_TCP, TCP_DEFER_ACCEPT, setsockopt, socklen_t};
    use std::os::fd::AsRawFd;

    // In seconds, of which the system makes a number of attempts to hear from the client.
    let patience = 1_i32;
    let size = size_of_val(&patience) as socklen_t;
    #[allow(unsafe_code, reason = "no library offers this option")]
    // SAFETY: the socket is open for as long as it is borrowed, and the pointer and the length are
    // those of a number that outlives the call.
    let result = unsafe {
        setsockopt(
            listening.as_raw_fd(),
            IPPROTO_TCP,
            TCP_DEFER_ACCEPT,
            (&raw const patience).cast(),
            size,
        )
    };
    // Where that is refused connections come in at once, and their bytes later.
    let _ = result;
}

#[cfg(not(target_os = "linux"))]
pub(super) fn wait_for(_listening: &Socket) {}
