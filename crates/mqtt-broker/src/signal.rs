//! The wish to stop, however the system expresses it: Ctrl-C, a signal, a closed window.

use std::io;

/// The handlers, installed. From [`Shutdown::install`] on, no such wish is lost.
pub struct Shutdown {
    sources: system::Sources,
}

impl Shutdown {
    /// Installs the handlers. Must be called inside the runtime, and before the broker listens:
    /// whoever sees an open port may send a signal at once.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            sources: system::Sources::install()?,
        })
    }

    /// Waits until somebody wants the broker to stop.
    pub async fn requested(mut self) {
        self.sources.wait().await;
    }
}

#[cfg(unix)]
mod system {
    use std::io;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(super) struct Sources {
        interrupt: Signal,
        terminate: Signal,
    }

    impl Sources {
        pub(super) fn install() -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            })
        }

        pub(super) async fn wait(&mut self) {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
        }
    }
}

#[cfg(windows)]
mod system {
    use std::io;
    use tokio::signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
    };

    /// Windows has no signals; it tells a console program what happens to its window.
    pub(super) struct Sources {
        ctrl_c: CtrlC,
        ctrl_break: CtrlBreak,
        close: CtrlClose,
        shutdown: CtrlShutdown,
    }

    impl Sources {
        pub(super) fn install() -> io::Result<Self> {
            Ok(Self {
                ctrl_c: ctrl_c()?,
                ctrl_break: ctrl_break()?,
                close: ctrl_close()?,
                shutdown: ctrl_shutdown()?,
            })
        }

        pub(super) async fn wait(&mut self) {
            tokio::select! {
                _ = self.ctrl_c.recv() => {}
                _ = self.ctrl_break.recv() => {}
                _ = self.close.recv() => {}
                _ = self.shutdown.recv() => {}
            }
        }
    }
}
