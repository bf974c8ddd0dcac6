//! `lambda`: the HTTP half as an AWS Lambda function. It reads its settings from the environment and
//! answers events; nothing is connected before the first one needs it.

use anyhow::{Result, anyhow};
use server::{
    arguments::{Arguments, Task},
    function, logs, parts,
};

/// Hashing passwords takes 19 MiB at a time; the system's allocator would keep most of that for good.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<()> {
    let settings = Arguments::none(Task::Handlers).load()?.settings;
    logs::start(&settings)?;
    let app = parts::stateless(settings).await?;
    let service = function::service(handlers::router_without_sockets(app));
    lambda_http::run(service)
        .await
        .map_err(|error| anyhow!(error))
}
