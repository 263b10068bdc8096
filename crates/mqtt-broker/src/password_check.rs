//! Checks passwords in threads of their own, so that the slow hashes delay no message.

use crate::auth::Passwords;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// At most so many threads: each may need the memory of one hash, 46 MiB for argon2id.
const MOST_THREADS: usize = 4;

/// What a hash needs of a thread's stack is little; its memory lies elsewhere.
const STACK: usize = 256 * 1024;

/// A password to be checked, and who wants to know.
pub(crate) struct Check {
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) username: Box<str>,
    pub(crate) password: Option<Box<[u8]>>,
    /// Called in the thread that has checked.
    pub(crate) done: Box<dyn FnOnce(bool) + Send>,
}

impl Check {
    fn run(self) {
        let password = self.password.as_deref();
        (self.done)(self.passwords.verify(&self.username, password));
    }
}

/// The threads. They end when this is dropped and the work is done.
#[derive(Default)]
pub(crate) struct PasswordChecks {
    queue: Option<Sender<Check>>,
}

impl PasswordChecks {
    /// Starts the threads, unless they have been. A broker without passwords has none.
    pub(crate) fn start(&mut self) {
        if self.queue.is_some() {
            return;
        }
        let (queue, checks) = channel();
        let checks = Arc::new(Mutex::new(checks));
        // One processor is left to the broker itself, if there are several.
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let wanted = (processors - 1).clamp(1, MOST_THREADS);
        let started = (0..wanted).filter(|_| {
            let checks = checks.clone();
            let thread = thread::Builder::new()
                .name("passwords".into())
                .stack_size(STACK);
            thread.spawn(move || work(&checks)).is_ok()
        });
        if started.count() > 0 {
            self.queue = Some(queue);
        }
    }

    /// Checks a password as soon as a thread has time for it.
    pub(crate) fn check(&mut self, check: Check) {
        self.start();
        let unsent = match &self.queue {
            Some(queue) => queue.send(check).err().map(|error| error.0),
            None => Some(check),
        };
        if let Some(check) = unsent {
            // The system gives us no thread. Late is better than never.
            check.run();
        }
    }
}

fn work(checks: &Mutex<Receiver<Check>>) {
    loop {
        let next = checks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(check) => check.run(),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::password_file;
    use mqtt_passwd::{Algorithm, Hash};

    #[test]
    fn every_check_is_answered() {
        let hash = Hash::new(Algorithm::Sha512Pbkdf2, 10, b"right").expect("a hash");
        let text = format!("alice:{hash}\n");
        let (passwords, _) = password_file::parse("x", text.as_bytes()).expect("a user");
        let passwords = Arc::new(passwords);
        let mut checks = PasswordChecks::default();
        let (done, answers) = channel();
        for number in 0..100 {
            let done = done.clone();
            let password: &[u8] = if number % 2 == 0 { b"right" } else { b"wrong" };
            checks.check(Check {
                passwords: passwords.clone(),
                username: "alice".into(),
                password: Some(password.into()),
                done: Box::new(move |is_right| {
                    done.send((number, is_right)).expect("somebody listens");
                }),
            });
        }
        drop((checks, done));
        let mut answers: Vec<_> = answers.iter().collect();
        answers.sort_unstable();
        let expected: Vec<_> = (0..100).map(|number| (number, number % 2 == 0)).collect();
        assert_eq!(answers, expected);
    }
}
