//! Options that open a section, or change how the rest of the file is read.

use crate::config::define::Facts;

/// One such option.
pub struct Structure {
    /// Its name and documentation.
    pub facts: Facts,
    /// What may stand after the name.
    pub takes: &'static str,
    /// What reading it does.
    pub opens: Opens,
}

/// What a [`Structure`] does to the reading of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// A new listener, to which the options of listeners that follow belong.
    Listener,
    /// A new bridge, to which the options of bridges that follow belong.
    Bridge,
    /// The port of the default listener.
    DefaultPort,
    /// The address of the default listener.
    DefaultAddress,
    /// More files.
    Folder,
    /// Security by listener.
    PerListener,
}

/// The rows.
pub static STRUCTURES: &[Structure] = &[
    Structure {
        facts: Facts::new(
            "listener",
            &[],
            "Listeners",
            &[
                " Opens a listener on a port, on all addresses of this computer or on the one named,",
                " or with port 0 on the Unix socket named.",
                " Options of listeners that follow belong to it, up to the next `listener`.",
                " With no listener at all, the broker talks to programs on this computer only.",
            ],
        ),
        takes: "a port from 1 to 65535, then perhaps an address; or 0 and a path",
        opens: Opens::Listener,
    },
    Structure {
        facts: Facts::new(
            "port",
            &[],
            "Listeners",
            &[" The port of the default listener, the one of options before any `listener`."],
        )
        .deprecated("Please use 'listener' instead."),
        takes: "a port from 1 to 65535",
        opens: Opens::DefaultPort,
    },
    Structure {
        facts: Facts::new(
            "bind_address",
            &[],
            "Listeners",
            &[" The address of the default listener."],
        )
        .deprecated(""),
        takes: "an address or a host name",
        opens: Opens::DefaultAddress,
    },
    Structure {
        facts: Facts::new(
            "per_listener_settings",
            &[],
            "Security",
            &[
                " Whether the options under this heading hold for the listener they follow,",
                " instead of for all. It must stand before them.",
            ],
        )
        .deprecated("Please see the documentation for how to achieve the same effect."),
        takes: "true or false",
        opens: Opens::PerListener,
    },
    Structure {
        facts: Facts::new(
            "connection",
            &[],
            "Bridges",
            &[
                " Opens the section of a bridge and names it. Its options are read and checked, and",
                " the start of the broker says that the bridge itself does not work yet.",
            ],
        ),
        takes: "a name",
        opens: Opens::Bridge,
    },
    Structure {
        facts: Facts::new(
            "include_dir",
            &[],
            "Files",
            &[
                " A folder whose `*.conf` files are read at this place, sorted by name without",
                " regard to case. Only the main file may name one.",
            ],
        ),
        takes: "a path, to the end of the line",
        opens: Opens::Folder,
    },
];
