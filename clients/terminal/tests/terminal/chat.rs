//! The chat in a real terminal, driven by keys.

use anyhow::Result;
use e2e::unlimited;
use protocol::events::{Event, EventKind};
use testkit::Chatx;

use crate::support::{Person, Window};

const SMALL: (u16, u16) = (80, 24);

/// Ada, and Bob who is in her room too.
async fn two(server: &Chatx) -> Result<(Person, Person)> {
    let ada = Person::register(&server.url(), "ada").await?;
    let bob = Person::register(&server.url(), "bob").await?;
    ada.run(&["rooms", "--create", "Tea"]).await?.done()?;
    bob.run(&["rooms", "--join", "Tea"]).await?.done()?;
    Ok((ada, bob))
}

/// What was said in the room, in order.
async fn said(person: &Person) -> Result<Vec<String>> {
    let log = person.run(&["export", "Tea", "-q"]).await?.done()?;
    let body = |line: &str| match serde_json::from_str::<Event>(line) {
        Ok(Event {
            kind: EventKind::Message(content),
            ..
        }) => Some(content.body),
        _ => None,
    };
    Ok(log.lines().filter_map(body).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_goes_on_though_the_server_is_killed_under_it() -> Result<()> {
    let mut server = unlimited().start().await?;
    let (ada, bob) = two(&server).await?;
    bob.run(&["send", "Tea", "Milk first?"]).await?.done()?;
    let window = Window::open(&ada, SMALL).await?;
    window.chats().await?;
    window.sees("Milk first?").await?;
    window.sees("● connected").await?;
    window.says("Never.").await?;
    window.has_sent("Never.").await?;

    server.kill_9()?;
    window.sees("○ ").await?;
    for number in 1..=5 {
        window.says(&format!("in the tunnel {number}")).await?;
    }
    window.sees("5 to send").await?;
    server.restart().await?;
    window.sees("● connected").await?;
    bob.run(&["send", "Tea", "There you are."]).await?.done()?;
    let screen = window.sees("There you are.").await?;
    for number in 1..=5 {
        assert_eq!(
            screen.matches(&format!("in the tunnel {number}")).count(),
            1,
            "{screen}"
        );
    }
    let mut wanted = vec!["Milk first?".to_owned(), "Never.".to_owned()];
    wanted.extend((1..=5).map(|number| format!("in the tunnel {number}")));
    wanted.push("There you are.".to_owned());
    assert_eq!(said(&bob).await?, wanted);

    // Edit the last of one's own, answer another, delete it.
    window.key("Up").await?;
    window.key("Up").await?;
    window.key("e").await?;
    window.sees("editing").await?;
    window.says(" (sorry)").await?;
    window.sees("in the tunnel 5 (sorry) (edited)").await?;
    window.key("Up").await?;
    window.key("r").await?;
    window.sees("answering").await?;
    window.says("Here I am.").await?;
    window.sees("╭ ").await?;
    window.key("Up").await?;
    window.key("d").await?;
    window.sees("for everybody?").await?;
    window.key("y").await?;
    window
        .until("its end", |screen| !screen.contains("Here I am."))
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_the_chat_was_killed_is_sent_by_the_next_one_once() -> Result<()> {
    let mut server = unlimited().start().await?;
    let (ada, bob) = two(&server).await?;
    let window = Window::open(&ada, SMALL).await?;
    window.chats().await?;
    window.sees("● connected").await?;
    window.sees("this is where it begins").await?;
    server.kill_9()?;
    window.sees("○ ").await?;
    window.says("first").await?;
    window.says("second").await?;
    window.sees("2 to send").await?;
    window.signal("KILL").await?;
    server.restart().await?;
    window.sees("$").await?;
    // The shell has the terminal as the killed program left it: a new line is no Enter there.
    window
        .types("stty sane; printf '\\033[?1049l\\033c'; echo re''ady")
        .await?;
    window.key("C-j").await?;
    window.sees("ready").await?;
    for _ in 0..2 {
        window.chats().await?;
        window.has_sent("first").await?;
        window.has_sent("second").await?;
        window.key("C-q").await?;
        window
            .until("the shell", |screen| !screen.contains("connected"))
            .await?;
    }
    assert_eq!(said(&bob).await?, ["first", "second"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_is_as_it_was_after_the_end_and_after_signals() -> Result<()> {
    let server = unlimited().start().await?;
    let (ada, _bob) = two(&server).await?;
    let window = Window::open(&ada, SMALL).await?;
    for end in ["C-q", "TERM", "HUP"] {
        window.chats().await?;
        window.sees("● connected").await?;
        match end {
            "C-q" => window.key(end).await?,
            signal => window.signal(signal).await?,
        }
        window
            .until("the shell", |screen| !screen.contains("connected"))
            .await?;
        window.says(&format!("clear; stty -a | tr ' ;' '\\n\\n' | grep -cxE 'echo|icanon|isig' ; echo after {end}")).await?;
        let screen = window.sees(&format!("\nafter {end}")).await?;
        assert!(screen.contains("3\nafter"), "{screen}");
    }
    Ok(())
}
