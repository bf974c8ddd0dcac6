//! `infra/compose.yaml` does what it says.

use std::{
    env,
    process::{Command, Stdio},
};

use anyhow::{Result, ensure};

/// The exit code on machines where nobody may make network namespaces.
const CANNOT: i32 = 77;

/// The file is read, each process is started as its container would start it, and people talk through
/// the load balancer while some of them are killed; all of them then stop in time. It is told in full on
/// standard output.
#[test]
fn the_stack_of_the_compose_file_carries_a_conversation() -> Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_stack"))
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    // A machine that must not pass it over says so, as every CI does.
    let may_pass_over = env::var_os("CI").is_none();
    let cannot = output.status.code() == Some(CANNOT) && may_pass_over;
    ensure!(
        cannot || said.ends_with("everything works\n"),
        "{}\n{said}\n{complaint}",
        output.status
    );
    Ok(())
}
