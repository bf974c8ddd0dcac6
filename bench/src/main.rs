//! Benchmarks of the message path, run by hand.
fn main() {}
