//! Where log lines go and how they look: to standard error, for people on a terminal and as JSON
//! elsewhere. What is logged is decided where it happens.

use std::{
    backtrace::Backtrace,
    io::{IsTerminal as _, stderr},
    panic,
};

use shared::settings::{LogFormat, Mistakes, Settings};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, filter::filter_fn, fmt, layer::SubscriberExt as _, registry,
    util::SubscriberInitExt as _,
};

/// Starts logging, panics included.
///
/// # Errors
/// When the filter cannot be understood.
pub fn start(settings: &Settings) -> Result<(), Mistakes> {
    let filter = EnvFilter::try_new(&settings.log).map_err(|error| {
        let mut mistakes = Mistakes::default();
        mistakes.add(format_args!(
            "CHATX_LOG: `{}` is no filter: {error}",
            settings.log
        ));
        mistakes
    })?;
    let is_json = match settings.log_format {
        LogFormat::Auto => !stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let registry = registry().with(filter).with(filter_fn(is_discreet));
    if is_json {
        registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_writer(stderr),
            )
            .init();
    } else {
        let is_terminal = stderr().is_terminal();
        registry
            .with(
                fmt::layer()
                    .compact()
                    .with_ansi(is_terminal)
                    .with_writer(stderr),
            )
            .init();
    }
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Whether a line says nothing of what people say. The library below the sockets writes whole frames
/// into its lines, bodies and tokens with them: whatever the operator asks for, those are not logged.
fn is_discreet(line: &Metadata<'_>) -> bool {
    !line.target().starts_with("tungstenite") || *line.level() <= Level::INFO
}

fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    tracing::error!(
        panic.message = panic.payload_as_str().unwrap_or("no words"),
        panic.location = location.unwrap_or_default(),
        panic.backtrace = %Backtrace::capture(),
        "the program met a state that it holds for impossible"
    );
}
