//! The client against the real `chatx serve`, which is killed, drained, restarted and cut off.

mod support;

mod conversation;
mod faults;
mod files;
mod goaway;
mod pressure;
mod sessions;
mod tls;
