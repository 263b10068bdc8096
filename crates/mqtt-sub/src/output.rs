//! What happens with a message that has come: whether it counts, where it goes, and whether it is
//! the last.

use std::ops::ControlFlow;

use mqtt_common::client::Link;
use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::record;
use mqtt_common::show::Show;
use mqtt_proto::{Publish, ReasonCode};
use tokio::time::Instant;

use crate::rate::Rate;
use crate::recorder::Recorder;
use crate::retained::Remover;
use crate::selection::Selection;
use crate::watch::Watch;

/// Everything that messages go through.
pub struct Output {
    /// Which of them are wanted.
    pub selection: Selection,
    /// How they are shown, unless one of the next three says otherwise.
    pub show: Show,
    /// One line of the screen for each topic.
    pub watch: Option<Watch>,
    /// Only their number is shown.
    pub rate: Option<Rate>,
    /// Records go to stdout instead of messages; the beginning of the recording.
    pub records: Option<Instant>,
    /// They also go to a file.
    pub recorder: Option<Recorder>,
    /// Retained ones are removed from the broker.
    pub remover: Remover,
    /// How many are still wanted.
    pub left: Option<u64>,
    /// The last wanted message has come; only the broker's answers to ours are waited for.
    pub finishing: bool,
}

impl Output {
    /// Takes a message; `Break` ends the run.
    pub fn message(
        &mut self,
        message: &Publish<'_>,
        link: &mut Link<'_>,
        console: &Console,
    ) -> ControlFlow<Exit> {
        if let Some(rate) = &mut self.rate {
            rate.count();
        }
        if self.finishing {
            return ControlFlow::Continue(());
        }
        if self.selection.retained_only && !message.retain {
            return self.finish(link);
        }
        if !self.selection.wants(message) {
            return ControlFlow::Continue(());
        }
        let done = self
            .remover
            .message(message, link)
            .and_then(|()| self.put(message, link, console));
        if let Err(what) = done {
            let _ = link.screen.flush();
            console.error(&format!("Error: {what}."));
            return ControlFlow::Break(Exit::USAGE);
        }
        match &mut self.left {
            Some(1) => self.finish(link),
            Some(left) => {
                *left -= 1;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Continue(()),
        }
    }

    /// Puts a message wherever it belongs.
    fn put(
        &mut self,
        message: &Publish<'_>,
        link: &mut Link<'_>,
        console: &Console,
    ) -> Result<(), String> {
        let shown = self.selection.shows();
        if shown && let Some(recorder) = &mut self.recorder {
            recorder.message(message)?;
        }
        if self.rate.is_some() {
            return Ok(());
        }
        if let Some(started) = self.records {
            if shown {
                let now = jiff::Timestamp::now();
                record::write(started.elapsed(), now, message, link.screen.buffer());
            }
        } else if let Some(watch) = &mut self.watch {
            watch.message(message, shown, &self.show, link.screen, console);
        } else if shown {
            self.show.message(message, link.screen, console);
        }
        Ok(())
    }

    /// The last wanted message has come.
    fn finish(&mut self, link: &Link<'_>) -> ControlFlow<Exit> {
        self.finishing = true;
        self.is_finished(link)
    }

    fn is_finished(&self, link: &Link<'_>) -> ControlFlow<Exit> {
        if self.finishing && link.is_idle() {
            ControlFlow::Break(Exit::DONE)
        } else {
            ControlFlow::Continue(())
        }
    }

    /// The broker has answered a removal.
    pub fn removed(&mut self, reason: ReasonCode, link: &Link<'_>) -> ControlFlow<Exit> {
        self.remover.answered(reason);
        self.is_finished(link)
    }
}
