//! The programs of `docs/bots.md`, taken from there word by word and run.

use std::{path::Path, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::{Http, PATIENCE, Person, unlimited};
use protocol::RoomId;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

const DOCUMENT: &str = include_str!("../../docs/bots.md");

/// A program of the document while it runs.
struct Program {
    #[expect(dead_code, reason = "it is killed when dropped")]
    child: Child,
    says: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Runs the block that begins with the comment `# name`.
    fn run(name: &str, directory: &Path, environment: &[(&str, String)]) -> Result<Self> {
        let (_, block) = DOCUMENT
            .split_once(&format!("```python\n# {name}\n"))
            .with_context(|| format!("no {name} in the document"))?;
        let (block, _) = block.split_once("```").context("its end")?;
        let path = directory.join(name);
        std::fs::write(&path, block)?;
        let mut child = Command::new("python3")
            .arg(path)
            .envs(environment.iter().cloned())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the programs of the document need python3")?;
        let stdout = child.stdout.take().context("its output")?;
        Ok(Self {
            child,
            says: BufReader::new(stdout).lines(),
        })
    }

    async fn next_line(&mut self) -> Result<String> {
        let line = timeout(PATIENCE, self.says.next_line()).await;
        line.context("it says nothing")??.context("it has ended")
    }
}

async fn say(person: &Person, room: RoomId, body: &str) -> Result<u64> {
    let path = format!("/v1/rooms/{room}/messages");
    let sent = person
        .http
        .post(&path, json!({ "body": body }))
        .await?
        .expect(201)?;
    sent["seq"].as_u64().context("a seq")
}

fn text(value: &Value, name: &str) -> Result<String> {
    let text = value[name].as_str().map(str::to_owned);
    text.with_context(|| format!("no {name}: {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_of_the_document_answers_and_goes_on_after_it_was_killed() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut chatx = unlimited().start().await?;
    let ada = Person::register(&Http::new(chatx.address()), "ada").await?;
    let room = ada.create_room().await?;
    let bot = json!({ "username": "echo", "display_name": "Echo" });
    let bot = ada.http.post("/v1/bots", bot).await?.expect(201)?;
    let bot = text(&bot, "id")?;
    let wish = json!({ "name": "a test", "scopes": ["messages:read", "messages:write"] });
    let token = ada
        .http
        .post(&format!("/v1/bots/{bot}/tokens"), wish)
        .await?
        .expect(201)?;
    let members = format!("/v1/rooms/{room}/members");
    ada.http
        .post(&members, json!({ "user": bot }))
        .await?
        .expect(201)?;

    let environment = [
        ("CHATX_URL", chatx.url()),
        ("CHATX_ROOM", room.to_string()),
        ("CHATX_TOKEN", text(&token, "token")?),
    ];
    let mut program = Program::run("echo.py", directory.path(), &environment)?;
    assert_eq!(program.next_line().await?, "listening");
    let asked = say(&ada, room, "!echo one").await?;
    let answer = until_answered(&ada, room, asked).await?;
    assert_eq!(
        (text(&answer, "body")?, text(&answer["user"], "id")?),
        ("one".to_owned(), bot)
    );
    // The server dies under it, and comes back.
    chatx.kill_9()?;
    chatx.restart().await?;
    let asked = say(&ada, room, "!echo two").await?;
    assert_eq!(
        text(&until_answered(&ada, room, asked).await?, "body")?,
        "two"
    );
    Ok(())
}

/// The message that answers the one at `asked`.
async fn until_answered(person: &Person, room: RoomId, asked: u64) -> Result<Value> {
    let answered = async {
        let mut after = asked;
        loop {
            let path = format!("/v1/rooms/{room}/events?after={after}&wait_s=20");
            let page = person.http.get(&path).await?.expect(200)?;
            for event in page["events"].as_array().context("events")? {
                after = event["seq"].as_u64().context("a seq")?;
                if event["reply_to"] == asked {
                    return anyhow::Ok(event.clone());
                }
            }
        }
    };
    timeout(PATIENCE, answered).await.context("no answer")?
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_of_the_document_believes_what_is_signed_and_nothing_else() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let chatx = unlimited()
        .set("CHATX_WEBHOOK_PRIVATE_TARGETS", "on")
        .start()
        .await?;
    let ada = Person::register(&Http::new(chatx.address()), "ada").await?;
    let room = ada.create_room().await?;
    let secret = "between-the-two-of-us";
    let mut program = Program::run(
        "receiver.py",
        directory.path(),
        &[("CHATX_SECRET", secret.to_owned())],
    )?;
    let line = program.next_line().await?;
    let port = line
        .strip_prefix("listening on ")
        .with_context(|| line.clone())?;
    let wish = json!({
        "url": format!("http://127.0.0.1:{port}/"), "rooms": [room], "kinds": ["message"], "secret": secret,
    });
    ada.http.post("/v1/webhooks", wish).await?.expect(201)?;

    let forged = Http::new(format!("127.0.0.1:{port}"));
    let event = json!({ "webhook": "x", "room": room, "events": [{ "id": "x", "seq": 1 }] });
    let answer = forged.post("/", event).await?;
    ensure!(answer.status == 401, "believed: {answer:?}");
    let hook = json!({ "name": "Builds" });
    let hook = ada
        .http
        .post(&format!("/v1/rooms/{room}/hooks"), hook)
        .await?
        .expect(201)?;
    let url = text(&hook, "url")?;
    let path = url
        .strip_prefix(&chatx.url())
        .with_context(|| url.clone())?;
    let said = json!({ "text": "Build 7 is green", "icon_emoji": ":tada:" });
    let said = Http::new(chatx.address())
        .post(path, said)
        .await?
        .expect(201)?;
    let (seq, username) = (
        said["seq"].as_u64().context("a seq")?,
        text(&said["user"], "username")?,
    );
    assert_eq!(
        program.next_line().await?,
        format!("{seq} message {username}")
    );
    let seq = say(&ada, room, "thank you").await?;
    assert_eq!(
        program.next_line().await?,
        format!("{seq} message {}", ada.username)
    );
    Ok(())
}
