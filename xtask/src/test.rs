//! `cargo xtask test`: builds, starts PostgreSQL and Redis, runs the tests of the workspace.

use std::{
    env,
    process::{Command, ExitCode},
};

use anyhow::Result;
use testkit::{Durability, Postgres, Redis};

use crate::{
    step::{self, Step},
    web,
};

/// The processes of tests can be told to break a rule, to see that `chatx torture` notices.
const BROKEN_RULES: &str = "chatx/broken-rules";

pub(crate) async fn run(arguments: &[String]) -> Result<ExitCode> {
    // Tests start the programs that they find beside themselves. `--workspace`, always: building one
    // member alone asks for other features of what it stands on, and builds that twice.
    let built = step::run(
        "building the programs",
        cargo().args(["build", "--workspace", "--bins", "--features", BROKEN_RULES]),
    )?;
    if !built.success() {
        return Ok(step::exit_code(built));
    }

    let servers = Step::begin("starting PostgreSQL and Redis");
    let (postgres, redis) = tokio::try_join!(
        unless_given("CHATX_TEST_POSTGRES_URL", || Postgres::start_with(
            Durability::Fast
        )),
        unless_given("CHATX_TEST_REDIS_URL", Redis::start),
    )?;
    servers.end();

    let mut tests = cargo();
    tests
        .args(["test", "--workspace", "--features", BROKEN_RULES])
        .args(arguments);
    if let Some(postgres) = &postgres {
        tests.env("CHATX_TEST_POSTGRES_URL", postgres.url());
    }
    if let Some(redis) = &redis {
        tests.env("CHATX_TEST_REDIS_URL", redis.url());
    }
    let tested = step::run("running the tests", &mut tests)?;
    // Whoever names a test wants that one only.
    if !tested.success() || !arguments.is_empty() || !web::is_possible() {
        return Ok(step::exit_code(tested));
    }
    web::test_against(&web::beside("chatx")?)
}

/// A server of our own, unless the environment names one.
async fn unless_given<S>(
    variable: &str,
    start: impl AsyncFnOnce() -> Result<S>,
) -> Result<Option<S>> {
    match env::var_os(variable) {
        Some(_) => Ok(None),
        None => start().await.map(Some),
    }
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
