//! The broker as a service of Windows: installed, taken away, and run by the service manager.

use crate::flags::{Flags, Task};
use mqtt_broker::config::Config;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use windows_service::service::{
    ServiceAccess, ServiceControl, ServiceControlAccept, ServiceErrorControl, ServiceExitCode,
    ServiceInfo, ServiceStartType, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{
    self, ServiceControlHandlerResult, ServiceStatusHandle,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_service::{define_windows_service, service_dispatcher};

/// How Windows knows it: `net start mqtt-broker`.
const NAME: &str = "mqtt-broker";
/// What the list of services shows.
const DISPLAY_NAME: &str = "MQTT broker (mqtt-broker)";
/// What the list of services says about it.
const DESCRIPTION: &str = "Passes messages between MQTT clients.";
/// The account that it runs as: one that may use the network, and else little.
const ACCOUNT: &str = r"NT AUTHORITY\LocalService";
/// Which flags make it a service; Windows types this.
const RUN: &str = "run";
/// How long the start and the end may take before Windows thinks that it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Windows' own numbers of errors.
mod code {
    pub(super) const ACCESS_DENIED: i32 = 5;
    pub(super) const DOES_NOT_EXIST: i32 = 1060;
    pub(super) const NOT_STARTED: i32 = 1062;
    pub(super) const NOT_BY_MANAGER: i32 = 1063;
    pub(super) const MARKED_FOR_DELETE: i32 = 1072;
    pub(super) const EXISTS: i32 = 1073;
}

/// What the service manager runs.
static RUNS: OnceLock<(Flags, fn(&Flags) -> u8)> = OnceLock::new();
/// The way to the service manager, once the service has begun.
static STATUS: Mutex<Option<ServiceStatusHandle>> = Mutex::new(None);
/// The service manager's wish to stop.
static STOP: Notify = Notify::const_new();

/// Does what the command line asks for. `run` is the program as it is in a window; its result is an
/// exit code.
///
/// # Errors
/// What to print: what does not work, and what to type.
pub fn carry_out(task: Task, flags: &Flags, run: fn(&Flags) -> u8) -> Result<(), String> {
    match task {
        Task::Install => install(flags),
        Task::Uninstall => uninstall(),
        Task::Run => {
            // Set once: a program has one command line.
            let _ = RUNS.set((flags.clone(), run));
            service_dispatcher::start(NAME, service_main)
                .map_err(|error| explained("run the service", &error))
        }
    }
}

/// Whether this process is the service.
pub fn has_begun() -> bool {
    RUNS.get().is_some()
}

/// Waits until the service manager wants the service to stop.
pub async fn stopped() {
    STOP.notified().await;
}

/// Passes on what the broker tells any service manager.
pub fn tell(what: &str) {
    match what {
        "READY=1" => report(ServiceState::Running, 0),
        "STOPPING=1" => report(ServiceState::StopPending, 0),
        _ => {}
    }
}

/// Says why the broker does not run: on standard error, or where the service keeps its log.
pub fn complain(text: &str) {
    if !has_begun() {
        eprintln!("{text}");
        return;
    }
    let file = std::fs::File::options()
        .append(true)
        .create(true)
        .open(log_file());
    if let Ok(mut file) = file {
        // Nobody is left to be told that this file, too, cannot be written.
        let _ = writeln!(file, "{text}");
    }
}

/// A service has no window; what it would print there goes to a file.
pub fn keep_log(config: &mut Config) {
    let wanted = &mut config.log_dest;
    if has_begun() && wanted.file.is_none() && (wanted.stderr || wanted.stdout) {
        // It is there since the installation, unless somebody has tidied up. What fails is said there.
        let _ = std::fs::create_dir_all(data_folder());
        wanted.file = Some(log_file());
    }
}

/// `C:\ProgramData\mqtt-broker`, where programs of all users keep what they write.
fn data_folder() -> PathBuf {
    let all = std::env::var_os("ProgramData").unwrap_or_else(|| r"C:\ProgramData".into());
    Path::new(&all).join(NAME)
}

fn log_file() -> PathBuf {
    data_folder().join("mqtt-broker.log")
}

fn install(flags: &Flags) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| {
        format!("Error: Windows does not say where this program lies: {error}.")
    })?;
    let flags = with_full_paths(flags)
        .map_err(|error| format!("Error: Windows does not say which folder this is: {error}."))?;
    let info = ServiceInfo {
        name: NAME.into(),
        display_name: DISPLAY_NAME.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: program,
        launch_arguments: launch_arguments(&flags),
        dependencies: Vec::new(),
        account_name: Some(ACCOUNT.into()),
        account_password: None,
    };
    let wrong = |error: windows_service::Error| explained("install the service", &error);
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let manager = ServiceManager::local_computer(None::<&str>, access).map_err(wrong)?;
    let rights = ServiceAccess::CHANGE_CONFIG;
    let (service, done) = match manager.create_service(&info, rights) {
        Ok(service) => (service, "is installed and"),
        Err(error) if number(&error) == Some(code::EXISTS) => {
            let service = manager.open_service(NAME, rights).map_err(wrong)?;
            service.change_config(&info).map_err(wrong)?;
            (service, "was there already, has now these flags, and")
        }
        Err(error) => return Err(wrong(error)),
    };
    // Without a description it works as well.
    let _ = service.set_description(DESCRIPTION);
    let folder = data_folder();
    std::fs::create_dir_all(&folder).map_err(|error| {
        format!(
            "Error: the folder {} for the log cannot be made: {error}.",
            folder.display()
        )
    })?;
    println!(
        "The service {NAME} {done} starts with Windows. To start it now, type: net start {NAME}"
    );
    match &flags.config {
        Some(path) => println!(
            "It reads {}, again when you save it or a file that it names, and works in its folder.",
            path.display()
        ),
        None if flags.lan => println!("It lets other computers in, without user names (--lan)."),
        None => {
            println!("It serves this computer alone. For others, type: mqtt-broker install -c FILE")
        }
    }
    println!(
        "Its log is {}, unless the configuration names another file.",
        log_file().display()
    );
    println!(
        "It runs as {ACCOUNT}: that account must be able to read what the configuration names."
    );
    Ok(())
}

fn uninstall() -> Result<(), String> {
    let wrong = |error: windows_service::Error| explained("uninstall the service", &error);
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT)
        .map_err(wrong)?;
    let rights = ServiceAccess::QUERY_STATUS | ServiceAccess::STOP | ServiceAccess::DELETE;
    let service = manager.open_service(NAME, rights).map_err(wrong)?;
    match service.stop() {
        Ok(_) => {
            let until = Instant::now() + PATIENCE;
            while Instant::now() < until
                && service.query_status().map_err(wrong)?.current_state != ServiceState::Stopped
            {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Err(error) if number(&error) == Some(code::NOT_STARTED) => {}
        Err(error) => return Err(wrong(error)),
    }
    service.delete().map_err(wrong)?;
    println!("The service {NAME} has ended and is not installed any more.");
    println!("Its log is still there: {}", log_file().display());
    Ok(())
}

/// The same flags, for a process that is started in another folder.
fn with_full_paths(flags: &Flags) -> io::Result<Flags> {
    let full = |path: &Option<PathBuf>| path.as_deref().map(std::path::absolute).transpose();
    Ok(Flags {
        config: full(&flags.config)?,
        tls_keylog: full(&flags.tls_keylog)?,
        ..flags.clone()
    })
}

/// What Windows types after the program's name.
fn launch_arguments(flags: &Flags) -> Vec<OsString> {
    let mut arguments = vec![OsString::from(RUN)];
    for (flag, path) in [("-c", &flags.config), ("--tls-keylog", &flags.tls_keylog)] {
        if let Some(path) = path {
            arguments.extend([flag.into(), path.into()]);
        }
    }
    for port in &flags.ports {
        arguments.extend(["-p".into(), port.to_string().into()]);
    }
    for (flag, is_set) in [
        ("--lan", flags.lan),
        ("-v", flags.verbose),
        ("-q", flags.quiet),
    ] {
        if is_set {
            arguments.push(flag.into());
        }
    }
    arguments
}

define_windows_service!(service_main, serve);

/// The service from its beginning to its end, in a thread that Windows made.
fn serve(_arguments: Vec<OsString>) {
    let Some((flags, run)) = RUNS.get() else {
        return;
    };
    let handler = |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown => {
            STOP.notify_one();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    };
    match service_control_handler::register(NAME, handler) {
        Ok(handle) => {
            *STATUS
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(handle)
        }
        Err(error) => return complain(&explained("talk to the service manager", &error)),
    }
    report(ServiceState::StartPending, 0);
    // Windows starts services in a folder of its own; names in the configuration are beside it.
    let folder = flags.config.as_deref().and_then(Path::parent);
    let folder = folder.map_or_else(data_folder, Path::to_path_buf);
    if let Err(error) = std::env::set_current_dir(&folder) {
        complain(&format!(
            "Warning: {} cannot be entered: {error}.",
            folder.display()
        ));
    }
    let exit_code = run(flags);
    report(ServiceState::Stopped, exit_code);
}

/// Tells the service manager how far the service is.
fn report(state: ServiceState, exit_code: u8) {
    let status = STATUS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(handle) = &*status else { return };
    let is_pending = matches!(
        state,
        ServiceState::StartPending | ServiceState::StopPending
    );
    let accepted = match state {
        ServiceState::Running => ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN,
        _ => ServiceControlAccept::empty(),
    };
    // A manager that does not listen is none.
    let _ = handle.set_service_status(ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted: accepted,
        exit_code: match exit_code {
            0 => ServiceExitCode::NO_ERROR,
            code => ServiceExitCode::ServiceSpecific(code.into()),
        },
        checkpoint: u32::from(is_pending),
        wait_hint: if is_pending { PATIENCE } else { Duration::ZERO },
        process_id: None,
    });
}

/// The number that Windows gave.
fn number(error: &windows_service::Error) -> Option<i32> {
    match error {
        windows_service::Error::Winapi(error) => error.raw_os_error(),
        _ => None,
    }
}

/// Why something failed, and what to type.
fn explained(what: &str, error: &windows_service::Error) -> String {
    let (why, advice) = match number(error) {
        Some(code::ACCESS_DENIED) => (
            "only an administrator may do that".into(),
            "Look for cmd in the start menu, choose \"Run as administrator\", and type it there.",
        ),
        Some(code::DOES_NOT_EXIST) => (
            "it is not installed".into(),
            "To install it, type: mqtt-broker install -c FILE",
        ),
        Some(code::NOT_BY_MANAGER) => (
            "only Windows' service manager starts it like this".into(),
            "In a window, until Ctrl-C: mqtt-broker -v. As a service: mqtt-broker install, then: net start mqtt-broker",
        ),
        Some(code::MARKED_FOR_DELETE) => (
            "it is being taken away".into(),
            "Close the window with the list of services and try again.",
        ),
        _ => {
            let why = match error {
                windows_service::Error::Winapi(error) => error.to_string(),
                other => other.to_string(),
            };
            (why, "The list of services (services.msc) shows its state.")
        }
    };
    format!("Error: I cannot {what}: {why}.\n  {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_gets_the_flags_with_full_paths() {
        let flags = Flags {
            config: Some("my lab.conf".into()),
            ports: vec![1883, 1884],
            verbose: true,
            ..Flags::default()
        };
        let flags = with_full_paths(&flags).expect("a folder");
        let arguments = launch_arguments(&flags);
        let path = std::env::current_dir()
            .expect("a folder")
            .join("my lab.conf");
        let expected: [OsString; 8] = [
            "run".into(),
            "-c".into(),
            path.into(),
            "-p".into(),
            "1883".into(),
            "-p".into(),
            "1884".into(),
            "-v".into(),
        ];
        assert_eq!(arguments, expected);
    }

    #[test]
    fn what_fails_is_explained() {
        for (number, part) in [
            (code::ACCESS_DENIED, "administrator"),
            (code::DOES_NOT_EXIST, "mqtt-broker install"),
            (code::NOT_BY_MANAGER, "mqtt-broker -v"),
        ] {
            let error = windows_service::Error::Winapi(io::Error::from_raw_os_error(number));
            let text = explained("do it", &error);
            assert!(text.contains(part), "{text}");
        }
    }
}
