//! What comes of a run, for people and for programs.

pub mod text;
