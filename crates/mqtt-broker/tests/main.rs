//! The program as people use it: its flags, its files, its exit codes.

mod config;
mod flags;
mod program;
mod serve;
