//! What the system tells the program: to stop, or to read its configuration again.

use std::io;
use std::path::Path;

/// What somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The end: Ctrl-C, a signal, a closed window.
    Stop,
    /// The configuration read again. Windows has no signal for this: there the file is watched.
    Reload,
}

/// The handlers, installed. From [`Signals::install`] on, no such wish is lost.
pub struct Signals {
    sources: system::Sources,
}

impl Signals {
    /// Installs the handlers; `configuration` is the file that is watched where there is no signal.
    /// Must be called inside the runtime, and before the broker listens:
    /// whoever sees an open port may send a signal at once.
    pub fn install(configuration: Option<&Path>) -> io::Result<Self> {
        Ok(Self {
            sources: system::Sources::install(configuration)?,
        })
    }

    /// Waits until somebody wants something.
    pub async fn next(&mut self) -> Signal {
        self.sources.next().await
    }
}

#[cfg(unix)]
mod system {
    use super::Signal as Wish;
    use std::io::{self, IsTerminal};
    use std::path::Path;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(super) struct Sources {
        interrupt: Signal,
        terminate: Signal,
        hang_up: Signal,
        /// Mosquitto saves its database and prints its subscriptions on these. There is nothing
        /// to do yet, but a script that sends one does not want the broker to end.
        ignored: [Signal; 2],
        had_terminal: bool,
    }

    impl Sources {
        pub(super) fn install(_configuration: Option<&Path>) -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hang_up: signal(SignalKind::hangup())?,
                ignored: [
                    signal(SignalKind::user_defined1())?,
                    signal(SignalKind::user_defined2())?,
                ],
                had_terminal: io::stderr().is_terminal(),
            })
        }

        pub(super) async fn next(&mut self) -> Wish {
            let [first, second] = &mut self.ignored;
            let never = async {
                loop {
                    tokio::select! {
                        _ = first.recv() => {}
                        _ = second.recv() => {}
                    }
                }
            };
            tokio::select! {
                wish = never => wish,
                _ = self.interrupt.recv() => Wish::Stop,
                _ = self.terminate.recv() => Wish::Stop,
                // A window that is closed sends the same signal. Nobody could see or stop the
                // broker after that, so it does not outlive its window.
                _ = self.hang_up.recv() => if self.had_terminal && !io::stderr().is_terminal() {
                    Wish::Stop
                } else {
                    Wish::Reload
                },
            }
        }
    }
}

#[cfg(windows)]
mod system {
    use super::Signal as Wish;
    use crate::service;
    use crate::watch::Watch;
    use std::io;
    use std::path::Path;
    use tokio::signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close,
        ctrl_logoff, ctrl_shutdown,
    };

    /// Windows has no signals; it tells a console program what happens to its window.
    pub(super) struct Sources {
        ctrl_c: CtrlC,
        ctrl_break: CtrlBreak,
        close: CtrlClose,
        logoff: CtrlLogoff,
        shutdown: CtrlShutdown,
        configuration: Option<Watch>,
    }

    impl Sources {
        pub(super) fn install(configuration: Option<&Path>) -> io::Result<Self> {
            Ok(Self {
                ctrl_c: ctrl_c()?,
                ctrl_break: ctrl_break()?,
                close: ctrl_close()?,
                logoff: ctrl_logoff()?,
                shutdown: ctrl_shutdown()?,
                configuration: configuration.map(Watch::new),
            })
        }

        pub(super) async fn next(&mut self) -> Wish {
            let configuration = &mut self.configuration;
            let saved = async {
                match configuration {
                    Some(watch) => watch.changed().await,
                    None => std::future::pending().await,
                }
            };
            if service::has_begun() {
                // A service sees people log off, and goes on for the others.
                return tokio::select! {
                    () = saved => Wish::Reload,
                    () = service::stopped() => Wish::Stop,
                };
            }
            tokio::select! {
                () = saved => return Wish::Reload,
                _ = self.ctrl_c.recv() => {}
                _ = self.ctrl_break.recv() => {}
                _ = self.close.recv() => {}
                _ = self.logoff.recv() => {}
                _ = self.shutdown.recv() => {}
            }
            Wish::Stop
        }
    }
}
