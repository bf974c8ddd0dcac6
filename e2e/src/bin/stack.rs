//! `infra/try.sh`: starts what `infra/compose.yaml` says without a container engine, lets two people talk
//! through it while parts of it are killed, and stops it.

use std::{
    collections::BTreeMap,
    env,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use chatx_e2e::stack::{Source, Stack, check_context, converse, fetch};
use tokio::{signal::ctrl_c, time::timeout};

/// The word by which the program tells itself that it is in namespaces of its own.
const INSIDE: &str = "--inside";
/// The exit code on machines that give no namespaces.
const CANNOT: u8 = 77;
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let ended = match env::args().nth(1).as_deref() {
        Some(INSIDE) => inside(),
        None if !has_namespaces() => {
            say("this machine lets nobody make network namespaces; on Ubuntu, root may");
            return CANNOT.into();
        }
        None => outside(),
        Some(_) => Err(anyhow::anyhow!("it takes no argument")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Gets what has to be fetched, then becomes the same program where it can make networks. When that
/// ends, however it ends, everything in there ends with it.
fn outside() -> Result<()> {
    check_context(repository())?;
    say("the files for the image are complete");
    fetch()?;
    let error = apart().arg(env::current_exe()?).arg(INSIDE).exec();
    Err(error).context("`unshare` of util-linux is needed")
}

fn apart() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--mount", "--pid"]);
    command.args(["--fork", "--kill-child", "--mount-proc"]);
    command
}

fn has_namespaces() -> bool {
    let tried = apart().args(["ip", "link", "set", "lo", "up"]).status();
    tried.is_ok_and(|status| status.success())
}

#[tokio::main]
async fn inside() -> Result<()> {
    let variables = [
        ("POSTGRES_PASSWORD", "a-password-for-trying-things"),
        (
            "CHATX_CLUSTER_SECRET",
            "a secret for trying things on one machine",
        ),
    ];
    let port = "8080";
    let variables = variables
        .into_iter()
        .chain([("CHATX_PORT", port)])
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut stack = Stack::read(&Source {
        file: repository().join("infra/compose.yaml"),
        variables: BTreeMap::from_iter(variables),
    })?;
    let trying = async {
        stack.up(say).await?;
        converse(&mut stack, &format!("localhost:{port}"), say).await
    };
    let tried = tokio::select! {
        tried = timeout(PATIENCE, trying) => tried.context("it takes too long").flatten(),
        _ = ctrl_c() => bail!("interrupted"),
    };
    if tried.is_err() {
        say(&stack.logs());
        return tried;
    }
    stack.down(say).await?;
    say("everything works");
    Ok(())
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[expect(clippy::print_stdout, reason = "a command tells what it does")]
fn say(line: &str) {
    println!("{line}");
}
