//! `${NAME}` in a value stands for what the environment says; `$${` is a plain `${`.

use std::borrow::Cow;

/// A value in which a variable cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotFilled {
    /// The environment has no such variable, or it is not text.
    Unset(String),
    /// There is no `}` behind a `${`, or no name between.
    Unfinished,
}

/// Fills in the variables of a value.
pub(super) fn filled(
    value: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Cow<'_, str>, NotFilled> {
    if !value.contains("${") {
        return Ok(Cow::Borrowed(value));
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            text.push_str(before);
            text.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        text.push_str(&rest[..at]);
        let (name, behind) = rest[at + 2..]
            .split_once('}')
            .filter(|(name, _)| !name.is_empty())
            .ok_or(NotFilled::Unfinished)?;
        text.push_str(&lookup(name).ok_or_else(|| NotFilled::Unset(name.into()))?);
        rest = behind;
    }
    text.push_str(rest);
    Ok(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_once() {
        let lookup = |name: &str| match name {
            "A" => Some("one".to_owned()),
            "NESTED" => Some("${A}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let unset = |name: &str| Err(NotFilled::Unset(name.into()));
        for (value, expected) in [
            ("plain $A $$ {A}", Ok("plain $A $$ {A}")),
            ("${A}", Ok("one")),
            ("x${A}y${A}", Ok("xoneyone")),
            ("${NESTED}", Ok("${A}")),
            ("a${EMPTY}b", Ok("ab")),
            ("$${A}", Ok("${A}")),
            ("$${A} ${A}", Ok("${A} one")),
            ("$$${A}", Ok("$${A}")),
            ("${B}", unset("B")),
            ("${", Err(NotFilled::Unfinished)),
            ("${}", Err(NotFilled::Unfinished)),
            ("${A", Err(NotFilled::Unfinished)),
        ] {
            let found = filled(value, lookup);
            assert_eq!(found.as_deref(), expected.as_deref(), "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_value_panics(value in "[${}A]{0,12}") {
            let _ = filled(&value, |name| (name == "A").then(|| "$".to_owned()));
        }
    }
}
