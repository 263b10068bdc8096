//! Lines from a slow reader: blocks read ahead by a thread, cut where they end.

use std::io::{self, Read};
use std::thread;

use crate::encoding::Decoder;
use tokio::sync::mpsc;

/// How much is read at once.
const BLOCK: usize = 64 * 1024;
/// How many blocks are read ahead.
const AHEAD: usize = 2;

/// A file or standard input in blocks, read by a thread of its own: a read cannot be interrupted.
///
/// At most a few blocks are read ahead; the thread then waits, and so does whoever writes to us.
#[derive(Debug)]
pub struct Input {
    blocks: mpsc::Receiver<io::Result<Vec<u8>>>,
}

impl Input {
    /// Starts to read standard input.
    pub fn stdin() -> Input {
        Input::new(io::stdin())
    }

    /// Starts to read.
    pub fn new(mut from: impl Read + Send + 'static) -> Input {
        let (sender, blocks) = mpsc::channel(AHEAD);
        thread::spawn(move || {
            let mut decoder = Decoder::default();
            loop {
                let mut block = vec![0; BLOCK];
                let result = match from.read(&mut block) {
                    Ok(0) => {
                        let rest = decoder.end();
                        if !rest.is_empty() {
                            // Nobody waits for it any more if this fails.
                            let _ = sender.blocking_send(Ok(rest));
                        }
                        return;
                    }
                    Ok(count) => {
                        block.truncate(count);
                        match decoder.decode(block) {
                            nothing if nothing.is_empty() => continue,
                            text => Ok(text),
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let failed = result.is_err();
                if sender.blocking_send(result).is_err() || failed {
                    return;
                }
            }
        });
        Input { blocks }
    }

    /// The next block; `None` at the end. May be dropped at its await.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.blocks.recv().await.transpose()
    }

    /// Whether blocks have been read that nobody has asked for yet.
    pub fn is_ahead(&self) -> bool {
        !self.blocks.is_empty()
    }
}

/// Cuts blocks into lines. A line does not have its end, `\n` or `\r\n`, and a last line needs none.
#[derive(Debug, Default)]
pub struct Lines {
    block: Vec<u8>,
    at: usize,
    /// The beginning of a line whose end is in a later block.
    begun: Vec<u8>,
    /// Whether `begun` has been handed out, and can go.
    spent: bool,
    ended: bool,
}

impl Lines {
    /// Takes the next block; all lines of the one before have been taken.
    pub fn push(&mut self, block: Vec<u8>) {
        self.settle();
        debug_assert!(self.at >= self.block.len(), "lines would be lost");
        self.block = block;
        self.at = 0;
    }

    /// No block will follow.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether every line has been taken.
    pub fn is_done(&self) -> bool {
        self.ended && self.at >= self.block.len() && (self.begun.is_empty() || self.spent)
    }

    /// Whether a block is needed before there can be another line.
    pub fn is_hungry(&self) -> bool {
        !self.ended && !self.block[self.at..].contains(&b'\n')
    }

    /// How many bytes of a line have come whose end has not.
    pub fn begun(&self) -> usize {
        self.begun.len() + self.block.len() - self.at
    }

    fn settle(&mut self) {
        if self.spent {
            self.begun.clear();
            self.spent = false;
        }
        if self.at < self.block.len() {
            self.begun.extend_from_slice(&self.block[self.at..]);
            self.at = self.block.len();
        }
    }

    /// The next whole line.
    pub fn next(&mut self) -> Option<&[u8]> {
        if self.spent {
            self.begun.clear();
            self.spent = false;
        }
        let rest = &self.block[self.at..];
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            if !self.ended {
                return None;
            }
            self.settle();
            self.spent = !self.begun.is_empty();
            return self.spent.then(|| without_return(&self.begun));
        };
        let from = self.at;
        self.at += length + 1;
        if self.begun.is_empty() {
            return Some(without_return(&self.block[from..from + length]));
        }
        self.begun
            .extend_from_slice(&self.block[from..from + length]);
        self.spent = true;
        Some(without_return(&self.begun))
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(blocks: &[&str]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        let mut take = |lines: &mut Lines| {
            while let Some(line) = lines.next() {
                found.push(String::from_utf8(line.to_vec()).unwrap());
            }
        };
        for block in blocks {
            assert!(lines.is_hungry());
            lines.push(block.as_bytes().to_vec());
            take(&mut lines);
        }
        lines.end();
        take(&mut lines);
        assert!(lines.is_done());
        found
    }

    #[test]
    fn any_cut_of_the_input_gives_the_same_lines() {
        let input = "one\n\ntwo\r\nthree\n\r\nlast";
        let expected = ["one", "", "two", "three", "", "last"];
        for first in 0..=input.len() {
            for second in first..=input.len() {
                let blocks = [&input[..first], &input[first..second], &input[second..]];
                assert_eq!(lines_of(&blocks), expected, "{blocks:?}");
            }
        }
    }

    #[test]
    fn no_input_is_no_line() {
        assert!(lines_of(&[]).is_empty());
        assert_eq!(lines_of(&["\n"]), [""]);
    }
}
