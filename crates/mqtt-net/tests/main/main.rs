//! The parsers of outside bytes, fed with whole and broken input.

mod fuzz;
