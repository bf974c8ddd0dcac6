//! A database that is put back to an earlier state, under clients that have seen a later one, be it while
//! nothing runs or under processes that do: they are told to begin anew, and nobody mixes two histories.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, Result, anyhow, ensure};
use chatx_e2e::{Ended, Http, PATIENCE, Person, Socket, unlimited};
use client::{Client, Delivery, Events, Start};
use protocol::{
    ErrorCode, EventId, RoomId, Seq,
    accounts::LoginBody,
    events::Event,
    frame::{ServerFrame, Subscribed},
};
use serde_json::json;
use tempfile::TempDir;
use testkit::{Chatx, Database, Ground};
use tokio::time::{sleep, timeout};

/// Messages that are in the backup, and as many that were written after it.
const MESSAGES: usize = 5;
/// More than were lost, so that all their places are taken again.
const MESSAGES_AFTER: usize = 8;

/// A way to keep and to put back.
enum Backup {
    /// The file, while nobody has it open.
    Sqlite { folder: TempDir },
    /// `pg_dump` while all runs, and `psql` into an empty database of the same name.
    Postgres { database: Database, folder: TempDir },
}

impl Backup {
    async fn take(&self, chatx: &mut Chatx) -> Result<()> {
        match self {
            Self::Sqlite { folder } => {
                chatx.terminate().await?;
                fs::copy(file(chatx), folder.path().join("kept"))?;
                chatx.restart().await
            }
            Self::Postgres { database, folder } => {
                let kept = folder.path().join("kept").to_string_lossy().into_owned();
                postgres(&["pg_dump", "--file", &kept, &database.url()])
            }
        }
    }

    /// With the server stopped.
    async fn put_back(&self, chatx: &Chatx) -> Result<()> {
        match self {
            Self::Sqlite { folder } => {
                for log in ["-wal", "-shm"] {
                    let log = format!("{}{log}", file(chatx).display());
                    ensure!(
                        !fs::exists(&log)?,
                        "{log} was left by a server that stopped"
                    );
                }
                fs::copy(folder.path().join("kept"), file(chatx))?;
                Ok(())
            }
            Self::Postgres { database, folder } => {
                let server = testkit::postgres_url().await?;
                for statement in ["drop database", "create database"] {
                    let statement = format!("{statement} {}", database.name());
                    postgres(&["psql", "--command", &statement, &server])?;
                }
                let kept = folder.path().join("kept").to_string_lossy().into_owned();
                read_in(&kept, &database.url())
            }
        }
    }
}

fn file(chatx: &Chatx) -> PathBuf {
    chatx.data_directory().join("chatx.db")
}

/// Runs a program of PostgreSQL.
fn postgres(arguments: &[&str]) -> Result<()> {
    const PROGRAMS: &[&str] = &["postgres", "pg_dump", "psql"];
    let found = testkit::programs("postgresql", &["/usr/lib/postgresql/*/bin"], PROGRAMS)?;
    let named = PROGRAMS
        .iter()
        .zip(found)
        .find(|(name, _)| **name == arguments[0]);
    let (_, (path, libraries)) = named.context("it is one of these")?;
    let mut command = Command::new(path);
    if let Some(libraries) = libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    let output = command.args(&arguments[1..]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {said}");
    Ok(())
}

/// Reads what was kept into an empty database.
fn read_in(kept: &str, url: &str) -> Result<()> {
    let strict = "ON_ERROR_STOP=1";
    postgres(&["psql", "--set", strict, "--file", kept, url])
}

/// What somebody holds of a room.
type View = BTreeMap<Seq, EventId>;

async fn say(socket: &mut Socket, room: RoomId, words: &str, count: usize) -> Result<()> {
    for turn in 0..count {
        let body = format!("{words} {turn}");
        let ack = socket.send(room, &body.replace(' ', "-"), &body).await?;
        ack.map_err(|error| anyhow!("{error:?}"))?;
    }
    Ok(())
}

async fn subscribe(socket: &mut Socket, room: RoomId, last: Option<&Event>) -> Result<Subscribed> {
    let (after, id) = (last.map(|event| event.seq), last.map(|event| event.id));
    let frame = json!({"type": "subscribe", "room": room, "after": after, "after_id": id});
    let asking = async {
        loop {
            match socket.ask(&frame).await? {
                ServerFrame::Subscribed(subscribed) => return Ok(subscribed),
                // A node may find out by this very question that its connections to the store are gone.
                ServerFrame::Error(error) if error.code == ErrorCode::Unavailable => {
                    sleep(Duration::from_millis(20)).await;
                }
                other => return Err(anyhow!("{other:?} instead of subscribed")),
            }
        }
    };
    timeout(PATIENCE, asking).await.context("no answer")?
}

/// Takes deliveries as a program does, until it has seen the place `until` since the last reset that it
/// was to wait for; how often it was told to begin anew.
async fn follow(events: &mut Events, view: &mut View, resets: u32, until: Seq) -> Result<()> {
    let mut seen = 0;
    let following = async {
        while seen < resets || view.last_key_value().is_none_or(|(last, _)| *last < until) {
            match events.next().await.context("the connection ended")? {
                Delivery::Event(event) => {
                    let before = view.insert(event.seq, event.id);
                    ensure!(before.is_none(), "{} was delivered twice", event.seq);
                }
                Delivery::Reset { .. } => {
                    seen += 1;
                    view.clear();
                }
                Delivery::Ended(why) => return Err(anyhow!("{why}")),
                _ => {}
            }
        }
        ensure!(seen == resets, "{seen} resets instead of {resets}");
        Ok(())
    };
    timeout(PATIENCE, following)
        .await
        .context("it does not come")?
}

async fn check(mut chatx: Chatx, backup: Backup) -> Result<()> {
    let http = Http::new(chatx.address());
    let ada = Person::register(&http, "ada").await?;
    let room = ada.create_room().await?;
    let mut socket = ada.socket().await?;
    socket.subscribe(room, None).await?;
    say(&mut socket, room, "kept", MESSAGES).await?;
    backup.take(&mut chatx).await?;

    // Both see what will not have been: one by frames, the other by the typed client.
    let login = LoginBody {
        login: Some(ada.username.clone()),
        password: Some(ada.password.to_owned()),
        device: None,
        totp: None,
    };
    let session = Client::new(&chatx.url())?.log_in(&login).await?;
    let connection = session.connect();
    let mut events = connection
        .room(room)
        .events(Start::After(Seq::ZERO, None))
        .await?;
    let mut socket = ada.socket().await?;
    let head = subscribe(&mut socket, room, None).await?.head;
    say(&mut socket, room, "lost", MESSAGES).await?;
    let mut last = socket.event().await?;
    while last.seq.0 < head.0 + u64::try_from(MESSAGES)? {
        last = socket.event().await?;
    }
    let mut view = View::new();
    follow(&mut events, &mut view, 0, last.seq).await?;

    chatx.terminate().await?;
    backup.put_back(&chatx).await?;
    chatx.restart().await?;

    // Ahead of the store: it begins anew.
    let mut socket = ada.socket().await?;
    let anew = subscribe(&mut socket, room, Some(&last)).await?;
    ensure!(anew.reset && anew.head == head, "{anew:?}");
    follow(&mut events, &mut view, 1, head).await?;
    // The lost places are given out again.
    say(&mut socket, room, "new", MESSAGES_AFTER).await?;
    let new_head = Seq(head.0 + u64::try_from(MESSAGES_AFTER)?);
    follow(&mut events, &mut view, 0, new_head).await?;
    // Somebody who was away all the while is no longer ahead, and yet has another event at that place.
    let mut late = ada.socket().await?;
    let anew = subscribe(&mut late, room, Some(&last)).await?;
    ensure!(anew.reset && anew.head == new_head, "{anew:?}");
    // Who stood where both histories are the same goes on from there.
    let same = subscribe(
        &mut late,
        room,
        anew.events.iter().find(|event| event.seq == head),
    )
    .await?;
    ensure!(
        !same.reset && same.events.len() == MESSAGES_AFTER,
        "{same:?}"
    );

    let stored = ada.history(room).await?;
    let bodies: Vec<_> = stored
        .iter()
        .map(|message| message.content.body.as_str())
        .collect();
    ensure!(bodies.len() == MESSAGES + MESSAGES_AFTER, "{bodies:?}");
    ensure!(
        !bodies.iter().any(|body| body.starts_with("lost")),
        "{bodies:?}"
    );
    let logs: View = anew
        .events
        .iter()
        .map(|event| (event.seq, event.id))
        .collect();
    ensure!(
        view == logs,
        "the client holds {view:?}, the store {logs:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_file_of_sqlite_resets_who_was_ahead() -> Result<()> {
    let backup = Backup::Sqlite {
        folder: TempDir::new()?,
    };
    check(unlimited().start().await?, backup).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_dump_of_postgres_resets_who_was_ahead() -> Result<()> {
    let database = Database::fresh().await?;
    let chatx = unlimited()
        .set("DATABASE_URL", database.url())
        .start()
        .await?;
    let folder = TempDir::new()?;
    check(chatx, Backup::Postgres { database, folder }).await
}

/// Puts a database in the place of the one that processes use: whoever is connected is cut off.
async fn swap(database: &Database, other: &Database) -> Result<()> {
    let server = testkit::postgres_url().await?;
    let (old, new) = (database.name(), other.name());
    for statement in [
        format!("drop database {old} with (force)"),
        format!("alter database {new} rename to {old}"),
    ] {
        postgres(&["psql", "--command", &statement, &server])?;
    }
    Ok(())
}

/// Has a message stored by a process without rooms of its own, as soon as it has its database again.
async fn write(ada: &Person, room: RoomId, name: &str) -> Result<()> {
    let path = format!("/v1/rooms/{room}/messages");
    let body = json!({"client_id": name, "body": name});
    let writing = async {
        while ada.http.post(&path, body.clone()).await?.status >= 500 {
            sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, writing).await.context(name.to_owned())?
}

/// Takes deliveries, as often as it is told to begin anew, until somebody holds what the store does.
async fn until_equal(events: &mut Events, view: &mut View, store: &View) -> Result<()> {
    let following = async {
        while view != store {
            match events.next().await.context("the connection ended")? {
                Delivery::Event(event) => drop(view.insert(event.seq, event.id)),
                Delivery::Reset { .. } => view.clear(),
                Delivery::Ended(why) => return Err(anyhow!("{why}")),
                _ => {}
            }
        }
        Ok(())
    };
    let Ok(followed) = timeout(PATIENCE, following).await else {
        return Err(anyhow!("the client holds {view:?}, the store {store:?}"));
    };
    followed
}

async fn stored(ada: &Person, room: RoomId) -> Result<View> {
    let anew = subscribe(&mut ada.socket().await?, room, None).await?;
    let events = anew.events.iter();
    Ok(events.map(|event| (event.seq, event.id)).collect())
}

/// A room is on two nodes, of which it is with one. `written` messages come right after the swap: some nodes
/// see a log that is shorter, others one that has grown past what they delivered.
async fn check_under_running_nodes(written: usize) -> Result<()> {
    let ground = Ground::new().await?;
    let handlers = ground.handlers().start().await?;
    let mut nodes = Vec::new();
    for name in ["a", "b"] {
        nodes.push(ground.coordinator(name).start().await?);
    }
    let ada = Person::register(&Http::new(handlers.address()), "ada").await?;
    let room = ada.create_room().await?;
    let login = LoginBody {
        login: Some(ada.username.clone()),
        password: Some(ada.password.to_owned()),
        device: None,
        totp: None,
    };
    let session = Client::new(&handlers.url())?.log_in(&login).await?;
    for turn in 0..MESSAGES {
        write(&ada, room, &format!("kept-{turn}")).await?;
    }
    let folder = TempDir::new()?;
    let kept = folder.path().join("kept").to_string_lossy().into_owned();
    postgres(&["pg_dump", "--file", &kept, &ground.database.url()])?;

    // Everybody is there, and sees what will not have been.
    let connection = session.connect();
    let mut events = connection
        .room(room)
        .events(Start::After(Seq::ZERO, None))
        .await?;
    let mut sockets = Vec::new();
    for node in &nodes {
        let mut socket = ada.at(&Http::new(node.address())).socket().await?;
        subscribe(&mut socket, room, None).await?;
        sockets.push(socket);
    }
    for turn in 0..MESSAGES {
        write(&ada, room, &format!("lost-{turn}")).await?;
    }
    let lost = stored(&ada.at(&Http::new(nodes[0].address())), room).await?;
    let mut view = View::new();
    until_equal(&mut events, &mut view, &lost).await?;
    let (last, _) = lost.last_key_value().context("it has events")?;
    for socket in &mut sockets {
        while socket.event().await?.seq < *last {}
    }

    let other = Database::fresh().await?;
    read_in(&kept, &other.url())?;
    swap(&ground.database, &other).await?;
    for turn in 0..written {
        write(&ada, room, &format!("new-{turn}")).await?;
    }
    for mut socket in sockets {
        let ended = socket.until_ended().await?;
        ensure!(matches!(ended, Ended::Closed(1011)), "{ended:?}");
    }
    let late = ada.at(&Http::new(nodes[1].address()));
    let now = stored(&late, room).await?;
    let both = lost.iter().filter(|(seq, id)| now.get(seq) == Some(id));
    ensure!(
        both.count() + MESSAGES == lost.len(),
        "{lost:?}, then {now:?}"
    );
    until_equal(&mut events, &mut view, &now).await?;
    // From here on all is as ever.
    write(&ada, room, "at-last").await?;
    until_equal(&mut events, &mut view, &stored(&late, room).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_restored_under_running_nodes_makes_everybody_begin_anew() -> Result<()> {
    check_under_running_nodes(0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_log_that_grew_past_what_was_delivered_is_told_from_the_old_one() -> Result<()> {
    check_under_running_nodes(MESSAGES_AFTER).await
}
