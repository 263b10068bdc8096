//! Scripts with which shells complete the flags.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::Shell;

use super::UsageError;
use super::commands::commands;
use super::table::{FLAGS, Flag, PROPERTY, Program};

/// The shells that `--completion` knows.
const SHELLS: [(&str, Shell); 4] = [
    ("bash", Shell::Bash),
    ("zsh", Shell::Zsh),
    ("fish", Shell::Fish),
    ("powershell", Shell::PowerShell),
];

/// The script for a shell, for the program under the name it was called by.
///
/// # Errors
/// The shell is unknown.
pub fn script(program: Program, name: &str, shell: &str) -> Result<String, UsageError> {
    let known = SHELLS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(shell));
    let Some((_, shell)) = known else {
        let names: Vec<_> = SHELLS.iter().map(|(name, _)| *name).collect();
        return Err(
            UsageError::new(format!("--completion: there is no script for '{shell}'"))
                .hint(format!("Type one of these: {}", names.join(", "))),
        );
    };
    let mut script = Vec::new();
    clap_complete::generate(*shell, &mut command(program, name), name, &mut script);
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// The flags as the generators want to see them: with what can stand behind them.
fn command(program: Program, name: &str) -> Command {
    let host = Arg::new("positional")
        .value_name("HOST")
        .value_hint(ValueHint::Hostname);
    let words = commands(program).iter().map(|command| command.name);
    let first = (words.len() > 0).then(|| {
        Arg::new("command")
            .value_name("COMMAND")
            .value_parser(PossibleValuesParser::new(words))
    });
    Command::new(name.to_owned())
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(
            FLAGS
                .iter()
                .filter(|flag| flag.is_of(program))
                .map(argument),
        )
        .args(first)
        .arg(host)
}

fn argument(flag: &Flag) -> Arg {
    let arg = Arg::new(flag.long).long(flag.long).help(flag.help);
    let arg = match flag.short {
        Some(short) => arg.short(short),
        None => arg,
    };
    let Some(value) = flag.value else {
        return arg.action(ArgAction::Count);
    };
    let arg = arg.action(ArgAction::Append).value_name(value);
    if value.contains('|') {
        return arg.value_parser(PossibleValuesParser::new(value.split('|')));
    }
    if flag.long == PROPERTY {
        return arg.num_args(3);
    }
    arg.value_hint(match value {
        "FILE" | "PATH" => ValueHint::FilePath,
        "DIR" => ValueHint::DirPath,
        "HOST" => ValueHint::Hostname,
        "URL" => ValueHint::Url,
        _ => ValueHint::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_learns_every_flag() {
        for program in Program::ALL {
            for (shell, _) in SHELLS {
                let script = script(program, "mosquitto_x", shell).unwrap();
                assert!(script.contains("mosquitto_x"), "{shell}");
                for flag in FLAGS.iter().filter(|flag| flag.is_of(program)) {
                    assert!(script.contains(flag.long), "{shell}: {}", flag.long);
                }
            }
        }
    }

    #[test]
    fn an_unknown_shell_is_answered_with_those_that_are_known() {
        let error = script(Program::Pub, "x", "tcsh").unwrap_err().to_string();
        assert!(error.contains("bash, zsh, fish, powershell"), "got {error}");
    }
}
