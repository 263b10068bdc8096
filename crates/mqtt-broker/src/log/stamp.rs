//! The time at the beginning of a line, made once a second at most.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use std::time::{SystemTime, UNIX_EPOCH};

/// How the time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Not at all.
    None,
    /// Seconds since 1970, as Mosquitto does by default.
    Epoch,
    /// In the letters of strftime, local time.
    Local(String),
}

/// What people read most easily in a window.
pub const CLOCK: &str = "%H:%M:%S";

/// Whether `format` can be written at all; the error says what is wrong with it.
pub fn check(format: &str) -> Result<(), String> {
    let moment = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    strtime::format(format, &moment)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// Writes times in one form.
#[derive(Debug)]
pub struct Stamp {
    form: Form,
    zone: TimeZone,
    second: u64,
    text: String,
}

impl Stamp {
    /// A stamp of this form, in the time zone of the system.
    pub fn new(form: Form) -> Self {
        Self::in_zone(form, TimeZone::system())
    }

    fn in_zone(form: Form, zone: TimeZone) -> Self {
        let mut stamp = Self {
            form,
            zone,
            second: 0,
            text: String::new(),
        };
        stamp.write(0);
        stamp
    }

    /// The text before a line that is written at `now`, with its colon and blank.
    pub fn at(&mut self, now: SystemTime) -> &str {
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if second != self.second {
            self.write(second);
        }
        &self.text
    }

    fn write(&mut self, second: u64) {
        self.second = second;
        self.text = match &self.form {
            Form::None => String::new(),
            Form::Epoch => format!("{second}: "),
            Form::Local(format) => {
                let moment = Timestamp::from_second(second.try_into().unwrap_or(0));
                let local = moment.unwrap_or_default().to_zoned(self.zone.clone());
                // The format was checked when it was read; the number is there for safety.
                let time = strtime::format(format, &local);
                format!("{}: ", time.unwrap_or_else(|_| second.to_string()))
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn check_form(form: Form, expected: &str) {
        let mut stamp = Stamp::in_zone(form, TimeZone::UTC);
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
        assert_eq!(stamp.at(now), expected);
        assert_eq!(stamp.at(now), expected);
    }

    #[test]
    fn each_form_ends_with_colon_and_blank() {
        check_form(Form::None, "");
        check_form(Form::Epoch, "1700000000: ");
        check_form(Form::Local(CLOCK.into()), "22:13:20: ");
        check_form(
            Form::Local("%Y-%m-%dT%H:%M:%S".into()),
            "2023-11-14T22:13:20: ",
        );
        check_form(Form::Local("%s".into()), "1700000000: ");
    }

    #[test]
    fn the_text_changes_with_the_second() {
        let mut stamp = Stamp::new(Form::Epoch);
        assert_eq!(stamp.at(UNIX_EPOCH), "0: ");
        assert_eq!(stamp.at(UNIX_EPOCH + Duration::from_secs(1)), "1: ");
    }

    #[test]
    fn wrong_letters_are_found_beforehand() {
        assert!(check("%Y %H:%M").is_ok());
        assert!(check("%!").is_err());
    }
}
