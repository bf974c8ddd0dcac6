//! The real `chatx` as people and scripts use it: its commands as processes, and the chat in a real
//! terminal, against a real server that is killed under them.

mod support;

mod chat;
mod scripts;
