//! The program: flags, configuration, log, and then the broker until somebody stops it.

mod addresses;
mod daemon;
mod flags;
mod identity;
mod open_files;
mod pid_file;
mod port_owner;
mod service;
mod signal;
mod watch;

use anyhow::Context;
use cap::Cap;
use flags::{Flags, Task, Wish};
use identity::Identity;
use mqtt_broker::config::{Config, Faults, Loaded};
use mqtt_broker::log::{Level, Levels, Line, Log, VERSION, program};
use mqtt_broker::{Broker, Request, StartError};
use pid_file::PidFile;
use port_owner::Way;
use service::ServiceManager;
use signal::{Signal, Signals};
use std::alloc::System;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

/// All went well.
const DONE: u8 = 0;
/// The command line or the configuration is wrong.
const WRONG_CONFIGURATION: u8 = 3;
/// The broker could not start, or not go on.
const FAILED: u8 = 1;

/// What Mosquitto lists at the start, and whether it is here.
const FEATURES: &[(&str, bool)] = &[
    ("Bridge", false),
    ("Persistence", true),
    ("TLS", true),
    ("TLS-PSK", false),
    ("Websockets", true),
];

/// Counts what is in use, for `memory_limit`.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// The system's allocator on Linux gives memory back, and takes it again page by page, whenever
/// more than 128 KiB at its end is free; it doubles what it keeps with the largest block that was
/// ever freed. A burst of messages is more than that, so it is shown a larger block once.
fn keep_some_memory() {
    const LARGEST: usize = 512 * 1024;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGEST)));
}

fn main() -> ExitCode {
    keep_some_memory();
    let arguments = std::env::args_os().skip(1);
    match flags::parse(arguments, |note| eprintln!("{note}")) {
        Ok(Wish::Run(flags)) => ExitCode::from(start(&flags)),
        Ok(Wish::Service(task, flags)) => match of_service(task, &flags) {
            Ok(()) => ExitCode::SUCCESS,
            Err(text) => {
                eprintln!("{}", as_called(&text));
                ExitCode::from(FAILED)
            }
        },
        Ok(Wish::Print(text)) => {
            print!("{}", as_called(&text));
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{}", as_called(&text));
            ExitCode::from(WRONG_CONFIGURATION)
        }
    }
}

/// What is to be typed begins with the name that was typed.
fn as_called(text: &str) -> String {
    text.replace("mqtt-broker", program())
}

/// Installs, takes away or is the service. What would not start is not installed.
fn of_service(task: Task, flags: &Flags) -> Result<(), String> {
    if task == Task::Install {
        load(flags).map_err(|faults| faults.to_string())?;
    }
    service::carry_out(task, flags, start)
}

/// Everything up to the point where the broker could run, and then the broker; gives the exit code.
fn start(flags: &Flags) -> u8 {
    let loaded = match load(flags) {
        Ok(loaded) => loaded,
        Err(faults) => {
            service::complain(&faults.to_string());
            return WRONG_CONFIGURATION;
        }
    };
    let user = match identity::of(&loaded.config) {
        Ok(user) => user,
        Err(text) => {
            service::complain(&text);
            return WRONG_CONFIGURATION;
        }
    };
    if flags.test_config {
        let mut log = Log::open(&Config::default());
        write_notes(&mut log, &loaded.notes);
        log.line(Line::ConfigOk);
        return DONE;
    }
    if let Some(path) = &flags.import {
        return match mqtt_broker::import(&loaded.config, path) {
            Ok(said) => {
                println!("{said}");
                DONE
            }
            Err(said) => {
                eprintln!("Error: {said}");
                FAILED
            }
        };
    }
    if flags.daemon && !daemon::is_background() {
        match daemon::start(std::env::args_os().skip(1)) {
            Ok(code) => return code,
            Err(error) => eprintln!("Warning: -d has no effect here: {error}."),
        }
    }
    match serve(flags, loaded, user.as_ref()) {
        Ok(code) => code,
        Err(error) => {
            service::complain(&format!("Error: {error:#}."));
            FAILED
        }
    }
}

/// The configuration of the file, of `--lan`, or of neither.
fn load(flags: &Flags) -> Result<Loaded, Faults> {
    let mut loaded = match &flags.config {
        Some(path) => Loaded::from_file(path, &flags.ports)?,
        None if flags.lan => Loaded::from_text("--lan", &lan(&flags.ports), &[])?,
        None => Loaded::from_text("", "", &flags.ports)?,
    };
    loaded.config.tls_keylog.clone_from(&flags.tls_keylog);
    if flags.quiet {
        loaded.config.log_type = Levels::NONE;
    } else if flags.verbose {
        loaded.config.log_type = Levels::ALL;
    }
    service::keep_log(&mut loaded.config);
    Ok(loaded)
}

/// What `--lan` stands for.
fn lan(ports: &[u16]) -> String {
    let ports = if ports.is_empty() { &[1883] } else { ports };
    let mut text = String::from("allow_anonymous true\n");
    for port in ports {
        text.push_str(&format!("listener {port}\n"));
    }
    text
}

/// Runs the broker until somebody stops it.
fn serve(flags: &Flags, loaded: Loaded, user: Option<&Identity>) -> anyhow::Result<u8> {
    if daemon::is_background() {
        daemon::leave_group();
    }
    open_files::raise_limit();
    let Loaded { config, notes } = loaded;
    let _pid_file = PidFile::write(config.pid_file.as_deref())?;
    let mut log = Log::open(&config);
    write_notes(&mut log, &notes);
    write_greeting(&mut log, &config, user);
    log.flush();
    let way = Way::of(flags, &config);
    let runtime = mqtt_broker::runtime().context("the system gives no means to wait")?;
    runtime.block_on(async {
        // The handlers come first: whoever sees an open port may send a signal at once.
        let mut signals =
            Signals::install(flags.config.as_deref()).context("signals cannot be handled")?;
        let mut broker = match Broker::bind(config, log) {
            Ok(broker) => broker,
            Err(error) => {
                explain(&error, &way);
                return Ok(FAILED);
            }
        };
        broker.measure_heap(|| HEAP.allocated());
        if let Some(user) = user {
            // Everything is open now, and no thread of ours but this one needs to be root.
            user.take_on(&broker.files()).map_err(anyhow::Error::msg)?;
        }
        if flags.verbose || io::stderr().is_terminal() {
            for line in addresses::lines(broker.config(), &flags.ports) {
                broker.log_mut().line(Line::Advice { what: &line });
            }
        }
        if daemon::is_background() {
            broker.log_mut().flush();
            daemon::say_ready().context("the terminal cannot be left")?;
        }
        let manager = ServiceManager::find();
        manager.tell("READY=1");
        broker
            .run(async || match next_signal(&mut signals, &manager).await {
                Signal::Reload => Request::Reload(load(flags).map(Box::new)),
                Signal::Stop => {
                    manager.tell("STOPPING=1");
                    Request::Stop
                }
            })
            .await?;
        Ok(DONE)
    })
}

/// Waits for a signal, and meanwhile shows the service manager that the broker's one thread turns.
async fn next_signal(signals: &mut Signals, manager: &ServiceManager) -> Signal {
    let Some(interval) = manager.watchdog() else {
        return signals.next().await;
    };
    loop {
        match tokio::time::timeout(interval, signals.next()).await {
            Ok(signal) => return signal,
            Err(_) => manager.tell("WATCHDOG=1"),
        }
    }
}

/// Logs what the reader of the configuration wants to have seen.
fn write_notes(log: &mut Log, notes: &[(Level, String)]) {
    for (level, text) in notes {
        log.write(*level, text);
    }
}

/// The lines before any port is opened.
fn write_greeting(log: &mut Log, config: &Config, user: Option<&Identity>) {
    if let Some(user) = user {
        for what in &user.cautions {
            log.line(Line::Caution { what });
        }
        log.line(Line::RunningAs {
            program: program(),
            user: &user.name,
        });
    }
    log.line(Line::Starting {
        program: program(),
        version: VERSION,
    });
    match &config.path {
        Some(path) => log.line(Line::ConfigLoaded {
            path: &path.display().to_string(),
        }),
        None => log.line(Line::DefaultConfig),
    }
    for (name, available) in FEATURES {
        log.line(Line::Feature {
            name,
            available: *available,
        });
    }
    if config.local_only {
        log.line(Line::LocalOnly);
        log.line(Line::LocalOnlyAdvice);
        log.line(Line::LocalOnlyReference);
    }
}

/// Says more about a start that failed than the log does.
fn explain(error: &StartError, way: &Way) {
    if error.source.kind() == io::ErrorKind::AddrInUse {
        for line in port_owner::advice(error.port, way) {
            service::complain(&line);
        }
    }
}
