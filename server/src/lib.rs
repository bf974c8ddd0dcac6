//! The server put together: the only crate that sees every other one. `chatx` and the Lambda
//! function are made from it.
//!
//! Modules are listed in reading order.

pub mod arguments;
pub mod config;
pub mod logs;

pub mod data_dir;
pub mod parts;

pub mod stop;
pub mod listener;
pub mod metrics;
pub mod page;
pub mod health;
pub mod roles;

pub mod healthcheck;
pub mod nodes;
pub mod admin;

pub mod function;
