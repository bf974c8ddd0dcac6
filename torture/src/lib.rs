//! Starts a whole system, or is pointed at one, drives load through real clients, breaks one part after
//! the other, and checks that what the system promises holds.
//!
//! Modules are listed in reading order: what happened, what is judged of it, and then how it is made to
//! happen.

pub mod diary;
pub mod stored;
pub mod check;

pub mod chance;
pub mod plan;
pub mod proxy;
pub mod system;
