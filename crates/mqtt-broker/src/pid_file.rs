//! The file of `pid_file`: it holds the process number while the broker runs.

use anyhow::Context;
use std::path::{Path, PathBuf};

/// The file, which goes away with this value.
pub struct PidFile(Option<PathBuf>);

impl PidFile {
    /// Writes the file, if one is wanted.
    pub fn write(path: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = path {
            std::fs::write(path, std::process::id().to_string())
                .with_context(|| format!("the pid_file '{}' cannot be written", path.display()))?;
        }
        Ok(Self(path.map(Into::into)))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Whoever removed it before us did our work.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_lives_as_long_as_the_value() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("broker.pid");
        let file = PidFile::write(Some(&path)).expect("a file");
        let text = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(text, std::process::id().to_string());
        drop(file);
        assert!(!path.exists());
    }
}
