//! Has the migrations embedded again when one is added.
#![expect(clippy::print_stdout, reason = "cargo is told so")]

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
