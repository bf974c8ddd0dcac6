//! The commands for scripts, as processes.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use e2e::unlimited;
use protocol::{
    Seq,
    events::{Event, EventKind},
    frame::Ack,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    time::timeout,
};

use crate::support::{PASSWORD, Person, ended};

fn events(text: &str) -> Result<Vec<Event>> {
    text.lines()
        .map(|line| serde_json::from_str(line).context(line.to_owned()))
        .collect()
}

/// The texts of what was said, in order.
fn bodies(events: &[Event]) -> Vec<String> {
    let body = |event: &Event| match &event.kind {
        EventKind::Message(content) => Some(content.body.clone()),
        _ => None,
    };
    events.iter().filter_map(body).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_kept_until_logout_and_exit_codes_tell_what_went_wrong() -> Result<()> {
    let server = unlimited().start().await?;
    let url = server.url();
    let ada = Person::register(&url, "ada").await?;
    let stranger = Person::new("nobody")?;

    let listed = ada
        .run(&["rooms", "--create", "Tea", "--json"])
        .await?
        .done()?;
    let room: Value = serde_json::from_str(listed.trim())?;
    assert_eq!((&room["name"], &room["unread"]), (&json!("Tea"), &json!(0)));
    let table = ada.run(&["rooms"]).await?.done()?;
    assert!(
        table.starts_with("ROOM  UNREAD  MEMBERS  KIND    HEAD  ID\nTea "),
        "{table}"
    );

    let mut files = walk(&ada.data_home())?;
    files.retain(|path| path.ends_with("session.json"));
    assert_eq!(fs::metadata(&files[0])?.permissions().mode() & 0o777, 0o600);
    assert!(!fs::read_to_string(&files[0])?.contains(PASSWORD));

    let code = async |person: &Person, words: &[&str], input: &str| {
        let ended = person.run_with(words, input).await?;
        anyhow::Ok((ended.code, ended.err))
    };
    assert_eq!(code(&ada, &["send", "tea"], "").await?.0, Some(2));
    assert_eq!(code(&ada, &["send"], "").await?.0, Some(2));
    assert_eq!(code(&ada, &["chat"], "").await?.0, Some(2));
    let (number, told) = code(&stranger, &["rooms", "--server", &url, "--json"], "").await?;
    let told: Value = serde_json::from_str(&told)?;
    assert_eq!(
        (number, &told["error"]["code"]),
        (Some(3), &json!("signed_out"))
    );
    assert_eq!(
        code(&ada, &["login", "--server", &url, &ada.name], "wrong\n")
            .await?
            .0,
        Some(5)
    );
    assert_eq!(code(&ada, &["tail", "Coffee"], "").await?.0, Some(5));
    assert_eq!(
        code(
            &ada,
            &["login", "--server", "http://127.0.0.1:1", "ada"],
            "x\n"
        )
        .await?
        .0,
        Some(4)
    );

    // A login that failed has changed nothing; a logout ends the session at the server, too.
    ada.run(&["rooms"]).await?.done()?;
    ada.run(&["logout"]).await?.done()?;
    assert_eq!(code(&ada, &["rooms"], "").await?.0, Some(3));
    Ok(())
}

fn walk(folder: &std::path::Path) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(walk(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_commands_at_once_renew_one_session_without_ending_it() -> Result<()> {
    let server = unlimited().set("CHATX_ACCESS_TOKEN_S", "2").start().await?;
    let ada = Person::register(&server.url(), "ada").await?;
    ada.run(&["rooms", "--create", "Tea"]).await?.done()?;
    for round in 0..4 {
        let commands = (0..6).map(|number| {
            let (ada, text) = (&ada, format!("round {round} number {number}"));
            async move { ada.run(&["send", "Tea", &text]).await?.done() }
        });
        for sent in futures_util::future::join_all(commands).await {
            sent?;
        }
    }
    let said = bodies(&events(&ada.run(&["export", "Tea", "-q"]).await?.done()?)?);
    assert_eq!(said.len(), 24);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_piped_into_one_room_comes_out_of_it_once_though_the_server_is_killed() -> Result<()>
{
    const LINES: usize = 60;
    let mut server = unlimited().start().await?;
    let ada = Person::register(&server.url(), "ada").await?;
    let bob = Person::register(&server.url(), "bob").await?;
    ada.run(&["rooms", "--create", "Tea"]).await?.done()?;
    bob.run(&["rooms", "--join", "tea"]).await?.done()?;

    let mut tail = bob
        .command(&["tail", "Tea", "-n", "0", "-f", "--json"])?
        .spawn()?;
    let mut heard = BufReader::new(tail.stdout.take().context("piped")?).lines();
    let mut send = ada
        .command(&["send", "Tea", "--lines", "--json"])?
        .spawn()?;
    let mut lines = send.stdin.take().context("piped")?;
    let mut next = async || {
        let line = timeout(e2e::PATIENCE, heard.next_line())
            .await
            .context("nothing is heard")??;
        anyhow::Ok(serde_json::from_str::<Event>(&line.context("tail ended")?)?)
    };
    let mut said = Vec::new();
    for number in 0..LINES {
        if number == LINES / 3 {
            server.kill_9()?;
        }
        if number == LINES / 2 {
            server.restart().await?;
        }
        lines
            .write_all(format!("line {number}\n").as_bytes())
            .await?;
        if number < LINES / 3 {
            said.push(next().await?);
        }
    }
    drop(lines);
    let acks = ended(send).await?.done()?;
    let acks: Vec<Ack> = acks
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    assert_eq!(acks.len(), LINES);
    while said.len() < LINES {
        said.push(next().await?);
    }
    let wanted: Vec<_> = (0..LINES).map(|number| format!("line {number}")).collect();
    assert_eq!(bodies(&said), wanted);
    let places = |seqs: Vec<Seq>| seqs.windows(2).all(|pair| pair[0].next() == pair[1]);
    assert!(places(said.iter().map(|event| event.seq).collect()));
    tail.kill().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_interrupted_and_repeated_doubles_nothing() -> Result<()> {
    const COUNT: u64 = 300;
    let server = unlimited().start().await?;
    let ada = Person::register(&server.url(), "ada").await?;
    ada.run(&["rooms", "--create", "Old"]).await?.done()?;
    ada.run(&["rooms", "--create", "New"]).await?.done()?;
    let mut input = String::new();
    for number in 0..COUNT {
        let reply_to = (number >= 10).then(|| number - 5);
        input.push_str(
            &json!({"body": format!("message {number}\nsecond row"), "reply_to": reply_to})
                .to_string(),
        );
        input.push('\n');
    }
    ada.run_with(&["send", "Old", "--ndjson"], &input)
        .await?
        .done()?;

    let file = ada.home.path().join("old.ndjson");
    let path = file.to_str().context("a path of text")?;
    ada.run(&["export", "Old", "-o", path]).await?.done()?;
    let whole = fs::read_to_string(&file)?;
    // What was cut off in the middle of a line is continued there.
    fs::write(&file, &whole[..whole.len() / 2])?;
    ada.run(&["export", "Old", "-o", path]).await?.done()?;
    ensure!(
        fs::read_to_string(&file)? == whole,
        "the continued file is another one"
    );

    let mut import = ada
        .command(&["import", "New", path])?
        .stdin(Stdio::null())
        .spawn()?;
    let is_begun = async || {
        let said = ada.run(&["export", "New", "-q"]).await?.done()?;
        anyhow::Ok(bodies(&events(&said)?).len())
    };
    while is_begun().await? < 5 && import.try_wait()?.is_none() {}
    import.start_kill()?;
    import.wait().await?;

    let first: Value = serde_json::from_str(
        &ada.run(&["import", "New", path, "--json", "-q"])
            .await?
            .done()?,
    )?;
    assert_eq!(
        first["imported"]
            .as_u64()
            .zip(first["known"].as_u64())
            .map(|(a, b)| a + b),
        Some(COUNT)
    );
    let again = ada
        .run_with(&["import", "New", "--json", "-q"], &whole)
        .await?
        .done()?;
    let again: Value = serde_json::from_str(&again)?;
    let left_out = u64::try_from(whole.lines().count())? - COUNT;
    assert_eq!(
        again,
        json!({"imported": 0, "known": COUNT, "left_out": left_out})
    );

    let (old, new) = (
        events(&whole)?,
        events(&ada.run(&["export", "New"]).await?.done()?)?,
    );
    assert_eq!(bodies(&old), bodies(&new));
    // Replies are replies to the same messages.
    let replies = |events: &[Event]| -> Vec<Option<String>> {
        let body = |seq: Seq| {
            events
                .iter()
                .find(|event| event.seq == seq)
                .map(|event| match &event.kind {
                    EventKind::Message(content) => content.body.clone(),
                    _ => String::new(),
                })
        };
        let target = |event: &Event| match &event.kind {
            EventKind::Message(content) => Some(content.reply_to.and_then(body)),
            _ => None,
        };
        events.iter().filter_map(target).collect()
    };
    assert_eq!(replies(&old), replies(&new));
    Ok(())
}
