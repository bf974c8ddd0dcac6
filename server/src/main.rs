//! `chatx`: reads its settings and does what the command line says.

use std::{io, process::ExitCode, sync::Arc};

use anyhow::Result;
use server::{
    admin,
    arguments::{Arguments, Task},
    config, healthcheck, logs, nodes, parts, roles,
};
use shared::{
    Clock,
    app::StartError,
    settings::{Loaded, Mistakes},
};

/// Hashing passwords takes 19 MiB at a time; the system's allocator would keep most of that for good.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code for settings that cannot be used.
const BAD_SETTINGS: u8 = 2;

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if let Some(command) = arguments.talk.take() {
        let clock = Clock::system();
        return terminal::run(command, Arc::new(move || clock.now()));
    }
    if let Some(options) = &arguments.torture {
        return tortured(options, arguments.flags());
    }
    let admin = arguments.admin.take();
    let (task, json) = (arguments.task, arguments.json);
    match arguments
        .load()
        .map_err(Into::into)
        .and_then(|loaded| match admin {
            Some(options) => administered(&loaded, options),
            None => run(task, json, loaded),
        }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

#[tokio::main]
async fn run(task: Task, json: bool, loaded: Loaded) -> Result<()> {
    if task == Task::Config {
        return shown(config::print(&loaded, &mut io::stdout().lock()));
    }
    let settings = loaded.settings;
    logs::start(&settings)?;
    match task {
        Task::Serve => roles::serve(settings).await,
        Task::Handlers => roles::handlers(settings).await,
        Task::Coordinator => roles::coordinator(settings).await,
        Task::Migrate => parts::migrate(settings).await,
        Task::Nodes => {
            let list = nodes::read(&settings).await?;
            let out = &mut io::stdout().lock();
            shown(match json {
                true => nodes::print_json(&list, out),
                false => nodes::print(&list, Clock::system().now(), out),
            })
        }
        Task::Healthcheck => healthcheck::ask(settings.listen).await,
        Task::Config => unreachable!("shown above"),
        Task::Admin => unreachable!("done above"),
        Task::Torture | Task::Talk => unreachable!("they go without the settings of a server"),
    }
}

#[tokio::main]
async fn administered(loaded: &Loaded, options: admin::Options) -> Result<()> {
    admin::run(&loaded.settings, options).await
}

/// The settings are those of the processes that it starts, not its own.
#[tokio::main]
async fn tortured(options: &torture::Options, flags: &[(String, String)]) -> ExitCode {
    match torture::run(options, flags).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

/// Whoever reads the first lines only, as `head` does, has seen what they wanted.
fn shown(printed: io::Result<()>) -> Result<()> {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the last word to whoever started the program"
)]
fn failed(error: &anyhow::Error) -> ExitCode {
    if let Some(mistakes) = error.downcast_ref::<Mistakes>() {
        eprintln!("chatx: the settings cannot be used:\n{mistakes}");
        return BAD_SETTINGS.into();
    }
    eprintln!("chatx: {error:#}");
    match error.downcast_ref::<StartError>() {
        None | Some(StartError::KeysAway(_)) => ExitCode::FAILURE,
        Some(_) => BAD_SETTINGS.into(),
    }
}
