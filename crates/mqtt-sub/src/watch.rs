//! `-w`: one line of the screen for each topic, with its latest message.

use std::collections::HashMap;

use mqtt_common::console::Console;
use mqtt_common::screen::Screen;
use mqtt_common::show::Show;
use mqtt_proto::Publish;

/// The first line names the broker.
const FIRST: usize = 2;
/// More topics than any screen has lines share the last one.
const MAX_LINES: usize = 10_000;

/// Which line belongs to which topic.
#[derive(Debug, Default)]
pub struct Watch {
    lines: HashMap<Box<str>, usize>,
}

impl Watch {
    /// Clears the screen and names the broker.
    pub fn start(host: &str, screen: &mut Screen) -> Watch {
        screen.line(&format!("\x1b[2J\x1b[1;1HBroker: {host}"));
        Watch::default()
    }

    /// Where the line of the message's topic is.
    fn place(&mut self, message: &Publish<'_>) -> usize {
        let topic = message.topic.map_or("", |topic| topic.as_str());
        let next = FIRST + self.lines.len();
        match self.lines.get(topic) {
            Some(line) => *line,
            None if self.lines.len() == MAX_LINES => next - 1,
            None => *self.lines.entry(topic.into()).or_insert(next),
        }
    }

    /// Puts a message in its line; `shown` is false for one that chance leaves out.
    ///
    /// In a pipe the escapes are Mosquitto's. A terminal also gets what keeps a line one line: the
    /// rest of a longer message before it is wiped out, and nothing runs over into the next line.
    pub fn message(
        &mut self,
        message: &Publish<'_>,
        shown: bool,
        show: &Show,
        screen: &mut Screen,
        console: &Console,
    ) {
        let line = self.place(message);
        let below = FIRST + self.lines.len() - 1;
        if screen.is_terminal() {
            if shown {
                let text = show.one_line(message, console);
                screen.text(&format!("\x1b[{line};1H\x1b[2K\x1b[?7l{text}\x1b[?7h"));
                screen.text(&format!("\x1b[{};1H", below + 1));
            }
            return;
        }
        screen.text(&format!("\x1b[{line};1H"));
        if shown {
            show.message(message, screen, console);
            screen.line(&format!("\x1b[{below};1H"));
        }
    }
}
