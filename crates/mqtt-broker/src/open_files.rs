//! How many files and sockets the system lets this program have: as many as it may ask for.

/// Raises the limit to what may be had without rights. Every connection takes one, and shells start
/// programs with a limit of a thousand.
#[cfg(unix)]
pub fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let highest = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        // With the old limit the broker still serves as many as that allows, and says so when it
        // is reached.
        let _ = setrlimit(Resource::Nofile, highest);
    }
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub fn raise_limit() {}
