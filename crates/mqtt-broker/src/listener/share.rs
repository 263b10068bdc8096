//! Who may have a port beside us: nobody, but for what is left of our own earlier run.
//!
//! The same option means two things. On Unix `SO_REUSEADDR` lets a new broker follow one that has
//! just ended. On Windows it would let a second program take over the port of one that runs, and
//! even a program that sets it for itself alone could do so, unless we forbid it.

#[cfg(unix)]
pub(super) use unix::settle;
#[cfg(windows)]
pub(super) use windows::settle;

#[cfg(unix)]
mod unix {
    use socket2::Socket;
    use std::io;

    /// Lets this socket have a port on which old connections are still ending.
    pub(in super::super) fn settle(socket: &Socket) -> io::Result<()> {
        socket.set_reuse_address(true)
    }
}

#[cfg(windows)]
mod windows {
    use socket2::Socket;
    use std::io;
    use std::os::windows::io::AsRawSocket;
    use windows_sys::Win32::Networking::WinSock::{
        SO_EXCLUSIVEADDRUSE, SOCKET, SOL_SOCKET, setsockopt,
    };

    /// Keeps every other socket away from the address that this one will have.
    pub(in super::super) fn settle(socket: &Socket) -> io::Result<()> {
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
        super::settle(&ours).expect("the system knows the option");
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        ours.bind(&any.into()).expect("a free port");
        ours.listen(1).expect("it can listen");
        let port = ours.local_addr().expect("an address").as_socket();
        let port = port.expect("an IP address").port();
        for host in [[0, 0, 0, 0], [127, 0, 0, 1]] {
            assert!(intrude((host, port).into()).is_err(), "{host:?}");
        }
    }
}
