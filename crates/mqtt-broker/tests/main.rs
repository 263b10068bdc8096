//! The program as people use it: its flags, its files, its exit codes.

mod config;
mod crash;
#[cfg(unix)]
mod doors;
mod engine_access;
mod engine_congestion;
mod engine_connect;
mod engine_durable;
mod engine_histories;
mod engine_hostile;
mod engine_limits;
mod engine_login;
mod engine_long_queues;
mod engine_memory;
mod engine_model;
mod engine_mount;
mod engine_properties;
mod engine_publish;
mod engine_retained;
mod engine_routes;
mod engine_session;
mod engine_shared;
mod engine_slow_reader;
mod engine_subscribe;
mod engine_sys;
mod engine_two_worlds;
mod engine_will;
mod flags;
mod fuzz_files;
mod fuzz_form;
mod fuzz_store;
mod http;
mod import;
mod login;
mod program;
#[cfg(unix)]
mod reload;
mod serve;
mod store_files;
mod store_forms;
mod store_salvage;
mod tidiness;
mod tls;
