//! `chatx`: reads its settings and does what the command line says.

fn main() {}
