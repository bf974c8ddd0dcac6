//! Serves the chat.
fn main() {}
