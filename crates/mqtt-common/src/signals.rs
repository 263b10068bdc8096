//! The user's wish to stop: Ctrl-C, SIGTERM, or a console window that is closed.

use std::io;

/// Listens for a wish to stop, from the moment it is made.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 3],
    #[cfg(windows)]
    events: windows::Events,
}

#[cfg(unix)]
impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    /// The system's, if it does not let us.
    pub fn new() -> io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let [a, b, c] = kinds.map(signal);
        Ok(Signals {
            signals: [a?, b?, c?],
        })
    }

    /// Waits for the wish. May be dropped and called again.
    pub async fn stop(&mut self) {
        let [a, b, c] = &mut self.signals;
        tokio::select! {
            _ = a.recv() => {}
            _ = b.recv() => {}
            _ = c.recv() => {}
        }
    }
}

#[cfg(windows)]
impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    /// The system's, if it does not let us.
    pub fn new() -> io::Result<Signals> {
        Ok(Signals {
            events: windows::Events::new()?,
        })
    }

    /// Waits for the wish. May be dropped and called again.
    pub async fn stop(&mut self) {
        self.events.any().await;
    }
}

/// What a console tells its programs. After the last three Windows waits for a few seconds until the
/// program has ended, and then ends it.
#[cfg(windows)]
mod windows {
    use std::io;
    use tokio::signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close,
        ctrl_logoff, ctrl_shutdown,
    };

    #[derive(Debug)]
    pub(super) struct Events {
        ctrl_c: CtrlC,
        ctrl_break: CtrlBreak,
        close: CtrlClose,
        logoff: CtrlLogoff,
        shutdown: CtrlShutdown,
    }

    impl Events {
        pub(super) fn new() -> io::Result<Events> {
            Ok(Events {
                ctrl_c: ctrl_c()?,
                ctrl_break: ctrl_break()?,
                close: ctrl_close()?,
                logoff: ctrl_logoff()?,
                shutdown: ctrl_shutdown()?,
            })
        }

        pub(super) async fn any(&mut self) {
            tokio::select! {
                _ = self.ctrl_c.recv() => {}
                _ = self.ctrl_break.recv() => {}
                _ = self.close.recv() => {}
                _ = self.logoff.recv() => {}
                _ = self.shutdown.recv() => {}
            }
        }
    }
}
