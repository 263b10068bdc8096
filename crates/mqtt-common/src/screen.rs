//! Standard output in blocks: what is written is kept until nothing more is waiting to be handled.

use std::io::{self, IsTerminal, Write};

use crate::system;

/// More than this is written at once, whatever is still waiting.
const BLOCK: usize = 64 * 1024;

/// Standard output with its buffer.
#[derive(Debug)]
pub struct Screen {
    buffer: Vec<u8>,
    /// Somebody is watching. A Windows console also takes text only and fails on any other byte.
    terminal: bool,
    /// Whether it does not matter if nobody reads.
    optional: bool,
}

impl Default for Screen {
    fn default() -> Self {
        Screen {
            buffer: Vec::new(),
            terminal: io::stdout().is_terminal(),
            optional: false,
        }
    }
}

impl Screen {
    /// From now on errors of stdout do not matter: the program's work lies elsewhere.
    pub fn make_optional(&mut self) {
        self.optional = true;
    }

    /// The buffer to append to.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Appends one line of text.
    pub fn line(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
        self.buffer.push(b'\n');
    }

    /// Appends text as it is.
    pub fn text(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    /// Whether it is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether everything is written.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Whether it is time to write although more may follow.
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= BLOCK
    }

    /// Writes everything.
    ///
    /// # Errors
    /// That of stdout; `BrokenPipe` if nobody reads any more. The text is gone either way.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        let written = if self.terminal && system::IS_WINDOWS {
            stdout.write_all(String::from_utf8_lossy(&self.buffer).as_bytes())
        } else {
            stdout.write_all(&self.buffer)
        };
        self.buffer.clear();
        if self.buffer.capacity() > 4 * BLOCK {
            self.buffer = Vec::new();
        }
        let written = written.and_then(|()| stdout.flush());
        if self.optional { Ok(()) } else { written }
    }
}
