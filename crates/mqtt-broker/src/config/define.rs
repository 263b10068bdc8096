//! What one row of the option table is, and the macro that turns rows into a typed struct.
//!
//! A row is written once. From it come the struct's field with its documentation and default,
//! the parser's entry, and the page of the manual.

/// What is known about an option besides its type: enough to find it and to document it.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The name in the file.
    pub name: &'static str,
    /// Other names for the same thing.
    pub aliases: &'static [&'static str],
    /// The heading it stands under in the manual.
    pub group: &'static str,
    /// What it does, for the manual, one entry a source line.
    pub doc: &'static [&'static str],
    /// Whether a reload can change it.
    pub reload: bool,
    /// What to use instead, if the option is on its way out.
    pub deprecated: Option<&'static str>,
    /// Whether it needs a `listener` line before it, because no default listener is made for it.
    pub own_listener: bool,
}

impl Facts {
    /// A row without any of the rarer properties.
    pub const fn new(
        name: &'static str,
        aliases: &'static [&'static str],
        group: &'static str,
        doc: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            aliases,
            group,
            doc,
            reload: false,
            deprecated: None,
            own_listener: false,
        }
    }

    /// Marks the option as one that a reload can change.
    pub const fn reload(mut self) -> Self {
        self.reload = true;
        self
    }

    /// Marks the option as on its way out.
    pub const fn deprecated(mut self, advice: &'static str) -> Self {
        self.deprecated = Some(advice);
        self
    }

    /// Marks the option as one that needs a `listener` line first.
    pub const fn own_listener(mut self) -> Self {
        self.own_listener = true;
        self
    }

    /// All the names of the option, the main one first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// One option that is read into a field of `T`.
pub struct Row<T> {
    /// Its name and documentation.
    pub facts: Facts,
    /// Reads the text after the name into the field. The `bool` says that the option was given
    /// before in the same section.
    pub apply: fn(&mut T, &str, bool) -> Result<(), super::value::Wrong>,
    /// Whether the value is the whole rest of the line, blanks and all.
    pub whole_line: fn() -> bool,
    /// Whether a second line with this option is an error.
    pub once: fn() -> bool,
    /// What may stand after the name.
    pub takes: fn() -> String,
    /// The value when the option is absent, as it would be written.
    pub default: fn() -> String,
    /// What the operator probably meant, for a value that cannot be read.
    pub suggest: fn(&str) -> Option<String>,
}

/// An option that Mosquitto has and this broker does not, and what is said about it.
pub struct Known {
    /// Its name and documentation.
    pub facts: Facts,
    /// What happens when it is met.
    pub answer: Answer,
}

/// What is done about an option that has no effect here.
///
/// The rule: what only tunes is warned about and skipped; what guards access, or opens another
/// kind of door, stops the start, because going on would leave that door wide open or shut.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// Nothing is said: the value makes no difference here, and that is no loss.
    Accept,
    /// It does nothing in Mosquitto either; said in Mosquitto's words.
    Gone,
    /// A warning, then on; the text says what to do instead.
    Warn(&'static str),
    /// The start is refused; the text says the nearest thing there is.
    Stop(&'static str),
    /// It belongs into the section that the named option opens. That option has been answered
    /// already; outside of its section the line is an error.
    Inside(&'static str),
}

/// Defines a struct of options and the table that reads them.
///
/// Each row is `name (aliases)? : type = default, kind [, property]* ;` below its documentation.
macro_rules! options {
    (
        $(#[$meta:meta])*
        pub struct $struct:ident, table $table:ident;
        $( extra { $( $(#[$extra_doc:meta])+ $extra:ident : $extra_type:ty = $extra_default:expr ; )* } )?
        $(
            group $group:literal {
                $(
                    $(#[doc = $doc:literal])+
                    $name:ident $(($($alias:literal),+))? : $type:ty = $default:expr,
                    $kind:expr $(, $property:ident $(($advice:literal))? )* ;
                )+
            }
        )+
    ) => {
        $(#[$meta])*
        pub struct $struct {
            $( $( $(#[$extra_doc])+ pub $extra: $extra_type, )* )?
            $( $( $(#[doc = $doc])+ pub $name: $type, )+ )+
        }

        impl Default for $struct {
            fn default() -> Self {
                Self {
                    $( $( $extra: $extra_default, )* )?
                    $( $( $name: $default, )+ )+
                }
            }
        }

        /// The rows of this struct, in the order of the manual.
        pub static $table: &[$crate::config::define::Row<$struct>] = &[
            $( $(
                $crate::config::define::Row {
                    facts: $crate::config::define::Facts::new(
                        stringify!($name), &[$($($alias),+)?], $group, &[$($doc),+],
                    )$(.$property($($advice)?))*,
                    apply: |target, text, again| {
                        $crate::config::value::Kind::apply(&$kind, &mut target.$name, text, again)
                    },
                    whole_line: || $crate::config::value::Kind::whole_line(&$kind),
                    once: || $crate::config::value::Kind::once(&$kind),
                    takes: || $crate::config::value::Kind::takes(&$kind),
                    default: || {
                        let value: $type = $default;
                        $crate::config::value::Kind::show(&$kind, &value)
                    },
                    suggest: |text| $crate::config::value::Kind::suggest(&$kind, text),
                },
            )+ )+
        ];
    };
}

/// Defines a table of options that are known by name only.
macro_rules! known {
    ($table:ident; $( group $group:literal {
        $( $(#[doc = $doc:literal])+ $name:literal $(($($alias:literal),+))? => $answer:expr ; )+
    } )+) => {
        /// Options that are recognised and answered, in the order of the manual.
        pub static $table: &[$crate::config::define::Known] = &[
            $( $( $crate::config::define::Known {
                facts: $crate::config::define::Facts::new(
                    $name, &[$($($alias),+)?], $group, &[$($doc),+],
                ),
                answer: $answer,
            }, )+ )+
        ];
    };
}

pub(crate) use {known, options};
