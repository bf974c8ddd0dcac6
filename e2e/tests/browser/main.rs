//! The page in real browsers, used as people use it, on a real server.

mod account;
mod caring;
mod everybody;
mod files;
mod keyboard;
mod knowing;
mod leaving;
mod long_log;
mod meeting;
mod messages;
mod moderators;
mod moving;
mod programs;
mod providers;
