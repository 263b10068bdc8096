//! What is wrong with a configuration, said so that the reader knows what to type.

use std::fmt;

/// More than this is the wrong kind of file, and is not worth reading to the end.
const SHOWN: usize = 20;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, as it was named; empty if the mistake is not in a file.
    pub file: String,
    /// The line, from 1; 0 if the mistake is in the file as a whole.
    pub line: usize,
    /// What stands there.
    pub text: String,
    /// What is wrong with it, as a sentence.
    pub what: String,
    /// What to type instead, as a sentence.
    pub advice: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Error: ")?;
        match (self.file.as_str(), self.line) {
            ("", _) => {}
            (file, 0) => write!(f, "{file}: ")?,
            (file, line) => write!(f, "{file}:{line}: ")?,
        }
        f.write_str(&self.what)?;
        if !self.text.is_empty() {
            write!(f, "\n    {}", self.text)?;
        }
        if let Some(advice) = &self.advice {
            write!(f, "\n  {advice}")?;
        }
        Ok(())
    }
}

/// All mistakes of a configuration, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().take(SHOWN).enumerate() {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            fault.fmt(f)?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nError: {more} more like these."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_shows_the_place_the_line_and_the_way_out() {
        let fault = Fault {
            file: "test.conf".into(),
            line: 2,
            text: "allow_anonymus true".into(),
            what: "there is no option 'allow_anonymus'.".into(),
            advice: Some("Did you mean 'allow_anonymous'?".into()),
        };
        assert_eq!(
            fault.to_string(),
            "Error: test.conf:2: there is no option 'allow_anonymus'.\n    allow_anonymus true\n  \
             Did you mean 'allow_anonymous'?"
        );
        let many = Faults(vec![fault; 30]).to_string();
        assert!(many.ends_with("Error: 10 more like these."), "{many}");
    }
}
