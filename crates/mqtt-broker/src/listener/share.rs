//! Who may have a port beside us: nobody, but for what is left of our own earlier run.
//!
//! The same option means two things. On Unix `SO_REUSEADDR` lets a new broker follow one that has
//! just ended. On Windows it would let a second program take over the port of one that runs, and
//! even a program that sets it for itself alone could do so, unless we forbid it.

#[cfg(unix)]
pub(super) use unix::bind;
#[cfg(windows)]
pub(super) use windows::bind;

#[cfg(unix)]
mod unix {
    use socket2::Socket;
    use std::io;
    use std::net::SocketAddr;

    /// Gives the socket an address, although old connections may still be ending there.
    pub(in super::super) fn bind(socket: &Socket, address: SocketAddr) -> io::Result<()> {
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())
    }
}

#[cfg(windows)]
mod windows {
    use socket2::Socket;
    use std::io;
    use std::net::SocketAddr;
    use std::os::windows::io::AsRawSocket;
    use windows_sys::Win32::Networking::WinSock::{
        SO_EXCLUSIVEADDRUSE, SOCKET, SOL_SOCKET, WSAEACCES, WSAEADDRINUSE, setsockopt,
    };

    /// Gives the socket an address that no other will have as long as it lives.
    pub(in super::super) fn bind(socket: &Socket, address: SocketAddr) -> io::Result<()> {
        keep_others_away(socket)?;
        socket.bind(&address.into()).map_err(|error| {
            // Windows says both in its own language; a hand-out is about these words.
            let what = match error.raw_os_error() {
                Some(WSAEADDRINUSE) => "Address already in use",
                Some(WSAEACCES) => "Address already in use, or reserved by Windows",
                _ => return error,
            };
            io::Error::new(io::ErrorKind::AddrInUse, what)
        })
    }

    fn keep_others_away(socket: &Socket) -> io::Result<()> {
        let on = 1_i32.to_ne_bytes();
        #[allow(unsafe_code, reason = "no library offers this option")]
        // SAFETY: the socket is open for as long as it is borrowed, and the pointer and the length
        // are those of an array that outlives the call.
        let result = unsafe {
            setsockopt(
                socket.as_raw_socket() as SOCKET,
                SOL_SOCKET,
                SO_EXCLUSIVEADDRUSE,
                on.as_ptr(),
                4,
            )
        };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use socket2::{Domain, Socket, Type};
    use std::net::SocketAddr;

    /// What a program does that wants to listen where somebody else listens.
    fn intrude(address: SocketAddr) -> std::io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(1)
    }

    #[test]
    fn nobody_can_listen_beside_us() {
        let ours = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        super::bind(&ours, any).expect("a free port");
        ours.listen(1).expect("it can listen");
        let port = ours.local_addr().expect("an address").as_socket();
        let port = port.expect("an IP address").port();
        for host in [[0, 0, 0, 0], [127, 0, 0, 1]] {
            assert!(intrude((host, port).into()).is_err(), "{host:?}");
            let second = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            let bound = super::bind(&second, (host, port).into());
            let error = bound
                .and_then(|()| second.listen(1))
                .expect_err("two brokers");
            assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
            assert!(
                error.to_string().starts_with("Address already in use"),
                "{error}"
            );
        }
    }
}
