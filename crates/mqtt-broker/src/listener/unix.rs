//! Unix doors: a socket in the file system, taken over from a broker that died and removed at the end.

/// Whether the system has them.
pub(crate) const HAS_UNIX_SOCKETS: bool = cfg!(unix);

#[cfg(not(unix))]
pub(crate) use none::UnixDoor;
#[cfg(unix)]
pub(crate) use some::UnixDoor;

#[cfg(unix)]
mod some {
    use super::super::BACKLOG;
    use socket2::{Domain, SockAddr, Socket, Type};
    use std::fs::{self, Permissions};
    use std::io;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::{Path, PathBuf};

    /// The owner and the group may connect.
    const RIGHTS: u32 = 0o770;

    /// A Unix socket that listens. Its file goes with it.
    pub(crate) struct UnixDoor {
        listener: Option<UnixListener>,
        pub(crate) path: PathBuf,
        /// Device and number of the file: it may be another broker's by the time we end.
        identity: (u64, u64),
    }

    impl UnixDoor {
        /// Listens at `path`. A socket that nobody listens at any more is replaced; another broker's
        /// is in use, and a file that is no socket is left alone.
        pub(crate) fn open(path: &Path) -> io::Result<UnixDoor> {
            make_room(path)?;
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.bind(&SockAddr::unix(path)?)?;
            // Before it listens nobody can connect, whatever the rights are until here.
            fs::set_permissions(path, Permissions::from_mode(RIGHTS))?;
            let file = fs::symlink_metadata(path)?;
            socket.listen(BACKLOG)?;
            socket.set_nonblocking(true)?;
            Ok(UnixDoor {
                listener: Some(socket.into()),
                path: path.into(),
                identity: (file.dev(), file.ino()),
            })
        }

        /// The socket; the door itself is kept to remove the file.
        pub(crate) fn take_listener(&mut self) -> io::Result<UnixListener> {
            let gone = || io::Error::from(io::ErrorKind::NotConnected);
            self.listener.take().ok_or_else(gone)
        }
    }

    impl Drop for UnixDoor {
        fn drop(&mut self) {
            let is_ours = fs::symlink_metadata(&self.path)
                .is_ok_and(|file| (file.dev(), file.ino()) == self.identity);
            if is_ours {
                // What stays is replaced at the next start.
                let _ = fs::remove_file(&self.path);
            }
        }
    }

    fn make_room(path: &Path) -> io::Result<()> {
        let file = match fs::symlink_metadata(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if !file.file_type().is_socket() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{} is there already, and is no socket", path.display()),
            ));
        }
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
            _ => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{} belongs to a program that runs", path.display()),
            )),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_socket_that_was_left_behind_is_replaced_and_removed_at_the_end() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("mqtt.sock");
            drop(UnixListener::bind(&path).unwrap());
            let door = UnixDoor::open(&path).unwrap();
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, RIGHTS);
            drop(door);
            assert!(!path.exists());
        }

        #[test]
        fn what_belongs_to_others_is_left_alone() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("mqtt.sock");
            let other = UnixDoor::open(&path).unwrap();
            let error = UnixDoor::open(&path).err().unwrap().to_string();
            assert!(error.ends_with("belongs to a program that runs"), "{error}");
            fs::remove_file(&path).unwrap();
            fs::write(&path, "a file").unwrap();
            let error = UnixDoor::open(&path).err().unwrap().to_string();
            assert!(error.ends_with("is no socket"), "{error}");
            drop(other);
            assert!(path.exists());
        }
    }
}

#[cfg(not(unix))]
mod none {
    use std::io;
    use std::path::Path;

    /// There is none on this system, and the configuration does not let one through.
    pub(crate) enum UnixDoor {}

    impl UnixDoor {
        pub(crate) fn open(_path: &Path) -> io::Result<UnixDoor> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}
