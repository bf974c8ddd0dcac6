//! What server admins see and change. Whether somebody is one is the caller's to check.

mod accounts;
mod rooms;
mod storage;

pub use accounts::AccountChange;
