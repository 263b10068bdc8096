//! The program `mqtt-passwd`: users in and out of a password file.

mod flags;
mod lock;
mod manual;
mod place;
mod prompt;

use flags::{Hashing, Place, Task};
use lock::Lock;
use mqtt_passwd::book::check_name;
use mqtt_passwd::{Book, Hash};
use prompt::NoPassword;
use std::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Everything that can go wrong, but for the next.
const FAILED: u8 = 1;
/// What was typed the second time is another password.
const MISMATCH: u8 = 2;

/// Why nothing was changed: the exit code and the sentence for it.
struct Failure(u8, String);

impl Failure {
    fn new(what: impl Display) -> Failure {
        Failure(FAILED, format!("Error: {what}."))
    }
}

fn main() -> ExitCode {
    let done = match flags::parse(std::env::args_os().skip(1)) {
        Ok((task, hashing)) => run(task, hashing),
        Err(text) => Err(Failure(FAILED, text)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(code, text)) => {
            eprintln!("{}", as_called(&text));
            ExitCode::from(code)
        }
    }
}

/// What is to be typed begins with the name that was typed.
fn as_called(text: &str) -> String {
    text.replace("mqtt-passwd", name())
}

/// The name of the program: its own, or that of Mosquitto's if it was called by that.
fn name() -> &'static str {
    let called_as = std::env::var_os("MQTT_CALLED_AS");
    if called_as.is_some_and(|name| name == "mosquitto_passwd") {
        return "mosquitto_passwd";
    }
    let first = std::env::args_os().next();
    let stem = first
        .as_deref()
        .and_then(|path| Path::new(path).file_stem());
    if stem.is_some_and(|stem| stem == "mosquitto_passwd") {
        "mosquitto_passwd"
    } else {
        "mqtt-passwd"
    }
}

fn run(task: Task, hashing: Hashing) -> Result<(), Failure> {
    match task {
        Task::Print(text) => {
            print!("{}", as_called(&text));
            Ok(())
        }
        Task::Completion { shell } => {
            print!("{}", manual::completion(name(), &shell).unwrap_or_default());
            Ok(())
        }
        Task::Set {
            place,
            is_new,
            user,
            password,
        } => set(&place, is_new, &user, password, hashing),
        Task::Delete { file, user } => delete(&file, &user),
        Task::HashAll { file } => hash_all(&file, hashing),
    }
}

fn set(
    place: &Place,
    is_new: bool,
    user: &str,
    password: Option<String>,
    hashing: Hashing,
) -> Result<(), Failure> {
    check_name(user).map_err(Failure::new)?;
    // A file that cannot be read is no reason to ask for a password first.
    if let Place::File(file) = place
        && !is_new
    {
        read(file)?;
    }
    let password = match password {
        Some(password) => password,
        None => prompt::new_password().map_err(no_password)?,
    };
    if password.len() > mqtt_passwd::book::LONGEST_NAME {
        return Err(Failure::new(
            "Password must be less than 65536 bytes long, which is what MQTT can carry",
        ));
    }
    if password.is_empty() {
        return Err(no_password(NoPassword::Empty));
    }
    let hash = hash(hashing, password.as_bytes())?;
    match place {
        Place::Stdout => {
            let mut book = Book::default();
            book.set(user, &hash);
            print!("{}", book.text());
        }
        Place::File(file) => {
            let _lock = lock(file)?;
            // Others may have changed it while the password was typed.
            let mut book = match is_new {
                true => Book::default(),
                false => read(file)?,
            };
            let is_known = book.set(user, &hash);
            let verb = if is_known { "Updating" } else { "Adding" };
            println!("{verb} password for user {user}");
            write(file, &book)?;
        }
    }
    Ok(())
}

fn delete(file: &Path, user: &str) -> Result<(), Failure> {
    check_name(user).map_err(Failure::new)?;
    let _lock = lock(file)?;
    let mut book = read(file)?;
    if !book.remove(user) {
        return Err(Failure(
            FAILED,
            format!("Warning: User {user} not found in password file."),
        ));
    }
    write(file, &book)
}

fn hash_all(file: &Path, hashing: Hashing) -> Result<(), Failure> {
    let _lock = lock(file)?;
    let mut book = read(file)?;
    let count = book.hash_all(|password| hash(hashing, password))?;
    if count == 0 {
        eprintln!(
            "Nothing to do: every password in {} is hashed.",
            file.display()
        );
        return Ok(());
    }
    write(file, &book)
}

fn hash(hashing: Hashing, password: &[u8]) -> Result<Hash, Failure> {
    Hash::new(hashing.algorithm, hashing.iterations, password).map_err(Failure::new)
}

fn lock(file: &Path) -> Result<Lock, Failure> {
    Lock::take(file).map_err(|error| {
        let file = file.display();
        Failure::new(format!(
            "the password file {file} cannot be changed: {error}"
        ))
    })
}

fn read(file: &Path) -> Result<Book, Failure> {
    let shown = file.display();
    let bytes = std::fs::read(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure(
            FAILED,
            format!("Error: there is no password file {shown}.\n  To make one, put -c in front: mqtt-passwd -c {shown} USER"),
        ),
        _ => Failure::new(format!("the password file {shown} cannot be read: {error}")),
    })?;
    Book::parse(&bytes).map_err(|error| Failure::new(format!("{shown}: {error}")))
}

fn write(file: &Path, book: &Book) -> Result<(), Failure> {
    place::replace(file, book.text().as_bytes()).map_err(|error| {
        Failure::new(format!(
            "the password file {} cannot be written: {error}",
            file.display()
        ))
    })
}

fn no_password(why: NoPassword) -> Failure {
    match why {
        NoPassword::Mismatch => Failure(MISMATCH, "Error: Passwords do not match.".into()),
        NoPassword::Empty => Failure::new(
            "the password is empty, and no broker takes an empty one. Nothing was changed",
        ),
        NoPassword::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Failure::new("standard input ended before two passwords were read")
        }
        NoPassword::Io(error) => Failure::new(format!("the password cannot be read: {error}")),
    }
}
