//! What somebody takes along: everything that is kept of them, in one zip, which is put together as it is read.
//! However much it is, only a page of it is in memory at a time.

mod archive;

use std::{collections::VecDeque, io, mem};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use protocol::{ErrorCode, FileId, RoomId, Seq};
use serde_json::json;

use crate::{
    App, Caller, files, identities,
    store::{self, OwnFile, Reaction, Walk},
};
use archive::Archive;

/// An archive on its way.
struct Export {
    app: App,
    caller: Caller,
    archive: Archive,
    step: Step,
}

/// What comes next into it.
enum Step {
    Account,
    Rooms,
    Messages {
        walk: Walk,
        /// Where the walk is, and up to which place of that room it has read.
        at: Option<(RoomId, Seq)>,
    },
    Reactions(Option<Reaction>),
    Files(Option<FileId>),
    Contents {
        upto: Option<FileId>,
        files: VecDeque<OwnFile>,
        open: Option<BoxStream<'static, io::Result<Bytes>>>,
    },
    End,
    Ended,
}

/// All that is kept of the caller, as the bytes of a zip. It breaks off, without an end that a program could
/// read, when the store or the place of files goes away meanwhile.
pub fn export(app: App, caller: Caller) -> BoxStream<'static, io::Result<Bytes>> {
    let export = Export {
        app,
        caller,
        archive: Archive::new(),
        step: Step::Account,
    };
    stream::try_unfold(export, |mut export| async move {
        let next = export.next().await;
        if let Err(error) = &next {
            tracing::warn!(%error, user.id = %export.caller.user.id, "an export breaks off");
        }
        Ok(next?.map(|bytes| (bytes, export)))
    })
    .boxed()
}

impl Export {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let written = self.archive.take();
            if !written.is_empty() {
                return Ok(Some(written));
            }
            if matches!(self.step, Step::Ended) {
                return Ok(None);
            }
            let step = mem::replace(&mut self.step, Step::Ended);
            self.step = self.take(step).await?;
        }
    }

    async fn take(&mut self, step: Step) -> io::Result<Step> {
        match step {
            Step::Account => self.account().await,
            Step::Rooms => self.rooms().await,
            Step::Messages { walk, at } => self.messages(walk, at).await,
            Step::Reactions(after) => self.reactions(after).await,
            Step::Files(after) => self.files(after).await,
            Step::Contents { upto, files, open } => self.contents(upto, files, open).await,
            Step::End => {
                self.archive.end()?;
                Ok(Step::Ended)
            }
            Step::Ended => Ok(Step::Ended),
        }
    }

    async fn account(&mut self) -> io::Result<Step> {
        let (store, user) = (&self.app.store, self.caller.user.id);
        let now = self.app.clock.now();
        let account = json!({
            "user": store.me(user).await.map_err(broken)?,
            "sessions": store.sessions(user, self.caller.session, now).await.map_err(broken)?,
            "blocks": store.blocks(user).await.map_err(broken)?,
            "identities": identities::of(&self.app, user).await.map_err(broken)?,
        });
        self.archive.begin_text("account.json")?;
        self.archive.add(&serde_json::to_vec_pretty(&account)?)?;
        Ok(Step::Rooms)
    }

    async fn rooms(&mut self) -> io::Result<Step> {
        let rooms = self.app.store.my_rooms(self.caller.user.id).await;
        let rooms = json!({ "rooms": rooms.map_err(broken)? });
        self.archive.begin_text("rooms.json")?;
        self.archive.add(&serde_json::to_vec_pretty(&rooms)?)?;
        self.archive.begin_text("messages.ndjson")?;
        let walk = Walk::default();
        Ok(Step::Messages { walk, at: None })
    }

    async fn messages(&mut self, mut walk: Walk, at: Option<(RoomId, Seq)>) -> io::Result<Step> {
        let (store, user) = (&self.app.store, self.caller.user.id);
        let Some((room, after)) = at else {
            let next = store.next_room_of(user, &mut walk).await.map_err(broken)?;
            return Ok(match next {
                Some(room) => Step::Messages {
                    walk,
                    at: Some((room, Seq::ZERO)),
                },
                None => {
                    self.archive.begin_text("reactions.ndjson")?;
                    Step::Reactions(None)
                }
            });
        };
        let messages = store.messages_by(user, room, after).await.map_err(broken)?;
        for message in &messages {
            self.archive.add_line(message)?;
        }
        let at = messages.last().map(|message| (room, message.seq));
        Ok(Step::Messages { walk, at })
    }

    async fn reactions(&mut self, after: Option<Reaction>) -> io::Result<Step> {
        let (store, user) = (&self.app.store, self.caller.user.id);
        let mut reactions = store
            .reactions_by(user, after.as_ref())
            .await
            .map_err(broken)?;
        for reaction in &reactions {
            self.archive.add_line(reaction)?;
        }
        if let Some(last) = reactions.pop() {
            return Ok(Step::Reactions(Some(last)));
        }
        self.archive.begin_text("files.ndjson")?;
        Ok(Step::Files(None))
    }

    async fn files(&mut self, after: Option<FileId>) -> io::Result<Step> {
        let files = self.app.store.files_by(self.caller.user.id, after).await;
        let files = files.map_err(broken)?;
        for file in &files {
            self.archive.add_line(file)?;
        }
        Ok(match files.last() {
            Some(last) => Step::Files(Some(last.file.id)),
            None => Step::Contents {
                upto: None,
                files: VecDeque::new(),
                open: None,
            },
        })
    }

    async fn contents(
        &mut self,
        mut upto: Option<FileId>,
        mut files: VecDeque<OwnFile>,
        open: Option<BoxStream<'static, io::Result<Bytes>>>,
    ) -> io::Result<Step> {
        if let Some(mut open) = open {
            let next = open.try_next().await?;
            if let Some(bytes) = &next {
                self.archive.add(bytes)?;
            }
            let open = next.map(|_| open);
            return Ok(Step::Contents { upto, files, open });
        }
        if files.is_empty() {
            let more = self.app.store.files_by(self.caller.user.id, upto).await;
            files = more.map_err(broken)?.into();
        }
        let Some(OwnFile { file, .. }) = files.pop_front() else {
            return Ok(Step::End);
        };
        upto = Some(file.id);
        let open = match files::read(&self.app, file.id, None).await {
            Ok(content) => {
                let name = format!("files/{} {}", file.id, file.name);
                self.archive.begin_bytes(&name)?;
                Some(content.bytes)
            }
            // It went meanwhile, and its message with it.
            Err(refusal) if refusal.code == ErrorCode::FileNotFound => None,
            Err(refusal) => return Err(io::Error::other(refusal.to_string())),
        };
        Ok(Step::Contents { upto, files, open })
    }
}

fn broken(error: store::Error) -> io::Error {
    io::Error::other(error)
}
