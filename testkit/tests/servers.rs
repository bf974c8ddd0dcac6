//! What the kit promises of PostgreSQL and Redis: real servers that can be killed, keep what they must,
//! and leave nothing behind.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use sqlx::{Connection, Executor, PgConnection};
use testkit::{Database, Durability, PgBouncer, Postgres, Redis};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn postgres_keeps_what_was_committed_when_it_is_killed_and_started_again() -> Result<()> {
    let mut postgres = Postgres::start().await?;
    let mut connection = PgConnection::connect(&postgres.url()).await?;
    connection
        .execute("create table kept (id int primary key)")
        .await?;
    connection.execute("insert into kept values (1)").await?;

    postgres.kill()?;
    ensure!(
        connection
            .execute("insert into kept values (2)")
            .await
            .is_err()
    );
    postgres.start_again().await?;

    let mut connection = PgConnection::connect(&postgres.url()).await?;
    let ids: Vec<i32> = sqlx::query_scalar("select id from kept")
        .fetch_all(&mut connection)
        .await?;
    ensure!(ids == [1]);

    postgres.stop().await?;
    postgres.start_again().await?;
    let mut connection = PgConnection::connect(&postgres.url()).await?;
    let durable: String = sqlx::query_scalar("show fsync")
        .fetch_one(&mut connection)
        .await?;
    ensure!(durable == "on");
    Ok(())
}

#[tokio::test]
async fn two_databases_of_a_server_know_nothing_of_each_other() -> Result<()> {
    let postgres = Postgres::start_with(Durability::Fast).await?;
    let (one, other) = (
        Database::fresh_on(&postgres.url()).await?,
        Database::fresh_on(&postgres.url()).await?,
    );
    PgConnection::connect(&one.url())
        .await?
        .execute("create table here ()")
        .await?;
    PgConnection::connect(&other.url())
        .await?
        .execute("create table here ()")
        .await?;

    let gone = one.url();
    drop(one);
    ensure!(PgConnection::connect(&gone).await.is_err());
    Ok(())
}

#[tokio::test]
async fn redis_comes_back_empty_on_its_port() -> Result<()> {
    let mut redis = Redis::start().await?;
    ensure!(ask_redis(&redis, "SET name value").await? == "+OK");
    redis.kill()?;
    ensure!(ask_redis(&redis, "PING").await.is_err());
    redis.start_again().await?;
    ensure!(ask_redis(&redis, "GET name").await? == "$-1");
    redis.stop().await?;
    ensure!(ask_redis(&redis, "PING").await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_pooler_lets_many_sessions_share_a_few_with_prepared_statements() -> Result<()> {
    let postgres = Postgres::start_with(Durability::Fast).await?;
    let pooler = PgBouncer::start(&postgres, 2).await?;
    let mut connections = Vec::new();
    for _ in 0..8 {
        connections.push(PgConnection::connect(&pooler.url("postgres")).await?);
    }
    for round in 0..5_i32 {
        for (number, connection) in connections.iter_mut().enumerate() {
            let sent = round * 100 + i32::try_from(number)?;
            let statement = sqlx::query_scalar::<_, i32>("select $1::int").bind(sent);
            ensure!(statement.fetch_one(connection).await? == sent);
        }
    }
    let mut direct = PgConnection::connect(&postgres.url()).await?;
    let pooled: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
    )
    .fetch_one(&mut direct)
    .await?;
    ensure!(pooled <= 2, "{pooled} sessions at the server");
    Ok(())
}

/// Runs the next test in a process of its own and kills it while its servers run.
#[tokio::test]
async fn nothing_is_left_behind_when_the_test_itself_is_killed() -> Result<()> {
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()?;
    let prefix = format!("chatx-test-{}-", victim.id());
    let mut lines = BufReader::new(victim.stdout.take().context("no output")?).lines();
    let ports = lines
        .find_map(|line| Some(line.ok()?.rsplit_once("ports ")?.1.to_owned()))
        .context("it did not start")?;
    ensure!(homes(&prefix)?.len() == 2);

    victim.kill()?;
    victim.wait()?;

    let start = Instant::now();
    while !homes(&prefix)?.is_empty() {
        ensure!(
            start.elapsed() < Duration::from_secs(30),
            "left behind: {:?}",
            homes(&prefix)?
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for port in ports.split_whitespace() {
        ensure!(
            TcpStream::connect(("127.0.0.1", port.parse()?))
                .await
                .is_err(),
            "{port} still answers"
        );
    }
    if Path::new("/proc/self/cmdline").exists() {
        ensure!(
            running_with(&prefix)?.is_empty(),
            "still running: {:?}",
            running_with(&prefix)?
        );
    }
    Ok(())
}

#[tokio::test]
#[ignore = "run, and killed, by the test above"]
async fn victim() -> Result<()> {
    let postgres = Postgres::start().await?;
    let redis = Redis::start().await?;
    // A session that is busy when the server ends.
    let mut connection = PgConnection::connect(&postgres.url()).await?;
    println!("ports {} {}", postgres.port(), redis.port());
    connection.execute("select pg_sleep(600)").await?;
    Ok(())
}

async fn ask_redis(redis: &Redis, command: &str) -> Result<String> {
    let mut socket =
        tokio::io::BufStream::new(TcpStream::connect(("127.0.0.1", redis.port())).await?);
    socket
        .write_all(format!("{command}\r\n").as_bytes())
        .await?;
    socket.flush().await?;
    let mut answer = String::new();
    socket.read_line(&mut answer).await?;
    Ok(answer.trim().to_owned())
}

fn homes(prefix: &str) -> Result<Vec<String>> {
    let parents = ["/tmp".into(), std::env::temp_dir()];
    let mut names = Vec::new();
    for parent in parents {
        for entry in fs::read_dir(parent)? {
            names.extend(
                entry?
                    .file_name()
                    .into_string()
                    .ok()
                    .filter(|name| name.starts_with(prefix)),
            );
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// The command lines that name a home, but for the watchdog's own last moments.
fn running_with(prefix: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let command_line = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        let command_line = String::from_utf8_lossy(&command_line).replace('\0', " ");
        if command_line.contains(prefix) && !command_line.contains("testkit-watchdog") {
            found.push(command_line);
        }
    }
    Ok(found)
}
