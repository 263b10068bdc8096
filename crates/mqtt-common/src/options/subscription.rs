//! How to subscribe: what the broker is to do about retained messages and about our own.

use mqtt_proto::{QoS, RetainHandling, SubscriptionOptions, Version};

use crate::flags::{Said, UsageError};

/// The options of every subscription but for its QoS.
///
/// # Errors
/// A value means nothing, or brokers of this version cannot do what was asked for.
pub fn subscription(said: &Said, version: Version) -> Result<SubscriptionOptions, UsageError> {
    let no_local = said.has("no-local");
    // Nobody has scripts with this flag, and without it a chat would repeat every word.
    if no_local && !version.is_v5() {
        return Err(
            UsageError::new("--no-local needs MQTT 5: brokers cannot do it below")
                .hint("Add -V 5, if the broker speaks it."),
        );
    }
    let handling = said.meaning("retain-handling", retain_handling)?;
    Ok(SubscriptionOptions {
        qos: QoS::default(),
        no_local,
        retain_as_published: said.has("retain-as-published"),
        // Version 5 can spare the broker the trouble; below, they are only not shown.
        retain_handling: match handling {
            _ if said.has("no-retained") => RetainHandling::DoNotSend,
            Some(handling) => handling,
            None => RetainHandling::Send,
        },
    })
}

fn retain_handling(flag: &str, text: &str) -> Result<RetainHandling, UsageError> {
    match text {
        "always" => Ok(RetainHandling::Send),
        "new" => Ok(RetainHandling::SendIfNew),
        "never" => Ok(RetainHandling::DoNotSend),
        _ => Err(
            UsageError::new(format!("{flag} '{text}' means nothing")).hint(
                "Type always, new (only if the broker did not have the subscription yet) or never.",
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::table::Program;
    use crate::flags::{Parsed, parse};

    fn options(line: &str, version: Version) -> Result<SubscriptionOptions, UsageError> {
        let argv = std::iter::once("x")
            .chain(line.split_whitespace())
            .map(Into::into);
        match parse(Program::Sub, argv)? {
            Parsed::Said(said) => subscription(&said, version),
            Parsed::Text(text) => panic!("got a text: {text}"),
        }
    }

    #[test]
    fn flags_become_the_bits_of_a_subscription() {
        for (line, byte) in [
            ("", 0),
            ("--retain-handling always", 0),
            ("--retain-handling new", 0x10),
            ("--retain-handling never", 0x20),
            ("-R --retain-handling new", 0x20),
            ("--retain-as-published", 0x08),
            ("--no-local", 0x04),
        ] {
            assert_eq!(
                options(line, Version::V5).unwrap().to_byte(),
                byte,
                "{line}"
            );
        }
        assert!(options("--no-local", Version::V4).is_err());
        assert!(options("--retain-handling often", Version::V5).is_err());
    }
}
