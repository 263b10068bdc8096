//! Secrets that are typed in at the terminal, and not shown while they are.

/// Asks at the terminal, whatever standard input and output are connected to.
///
/// # Errors
/// There is no terminal, or it was closed; the sentence has no full stop.
pub fn secret(prompt: &str) -> Result<String, String> {
    rpassword::prompt_password(prompt)
        .map_err(|error| format!("There is no terminal to ask at ({error})"))
}
