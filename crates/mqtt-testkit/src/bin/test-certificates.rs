//! Makes the certificates of the test server in a folder: `test-certificates FOLDER`.

use mqtt_testkit::certificates;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folders: Vec<_> = std::env::args_os().skip(1).collect();
    let [folder] = folders.as_slice() else {
        eprintln!("Error: type the folder for the certificates: test-certificates FOLDER");
        return ExitCode::FAILURE;
    };
    match certificates::write(Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: no certificates in {}: {error}.", folder.display());
            ExitCode::FAILURE
        }
    }
}
