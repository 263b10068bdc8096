//! What the command-line clients share: flags, exit codes, terminal output, hints.
