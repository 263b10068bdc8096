//! The moment at which a message came, in the forms in which it is shown.

use std::cell::OnceCell;

use jiff::Zoned;
use jiff::fmt::strtime;

/// The local time, asked for when it is needed first; all fields of one message show the same.
#[derive(Debug, Default)]
pub(super) struct Clock {
    moment: OnceCell<Zoned>,
}

impl Clock {
    /// A clock that stands still.
    #[cfg(test)]
    pub fn at(moment: Zoned) -> Clock {
        Clock {
            moment: moment.into(),
        }
    }

    fn moment(&self) -> &Zoned {
        self.moment.get_or_init(Zoned::now)
    }

    /// In a format of the table in `format.rs`.
    pub fn show(&self, format: &str) -> String {
        strtime::format(format, self.moment())
            .expect("a test formats all of the table; local times have all parts")
    }

    /// `2026-11-22T16:33:21+0000`
    pub fn iso(&self) -> String {
        self.show("%Y-%m-%dT%H:%M:%S%z")
    }

    /// `2026-11-22T16:33:21.879795+0000`
    pub fn iso_with_microseconds(&self) -> String {
        self.show("%Y-%m-%dT%H:%M:%S.%6f%z")
    }

    /// `16:33:21.879`
    pub fn short(&self) -> String {
        self.show("%H:%M:%S.%3f")
    }

    /// `1795365202.031782339`: seconds since 1970.
    pub fn unix(&self) -> String {
        let time = self.moment().timestamp();
        format!("{}.{:09}", time.as_second(), time.subsec_nanosecond())
    }

    /// The part of a second, in nanoseconds.
    pub fn nanoseconds(&self) -> i32 {
        self.moment().timestamp().subsec_nanosecond()
    }
}
