//! What the chat wants done, done: calls of the server and rooms that are followed, each as a task of its
//! own that tells what came of it.

use std::collections::HashMap;

use client::{Connection, Draft, Error, Session, Start};
use protocol::{
    ErrorCode, RoomId, Seq,
    accounts::FindUsers,
    messages::History,
    rooms::{ChangeRoomBody, CreateRoomBody, FindRooms, JoinBody, Page},
    search::Hit,
    text::{ClientId, Emoji, RoomName},
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

use super::{
    carrying,
    happening::{Effect, Input, Letter},
};
use crate::finding;

/// The server, as the chat reaches it.
pub(super) struct World {
    session: Session,
    connection: Connection,
    told: mpsc::Sender<Input>,
    tasks: JoinSet<()>,
    follows: HashMap<RoomId, AbortHandle>,
}

/// Messages of a page of history.
const PAGE: u32 = 100;
/// A search is content with so many hits, and asks for no more than so many pages: some may be empty.
const HITS_MOST: usize = 100;
const PAGES_MOST: usize = 5;

impl World {
    pub(super) fn new(session: Session, connection: Connection, told: mpsc::Sender<Input>) -> Self {
        Self {
            session,
            connection,
            told,
            tasks: JoinSet::new(),
            follows: HashMap::new(),
        }
    }

    /// Begins to do something; what concerns the terminal or the disk is not for it.
    pub(super) fn begin(&mut self, effect: Effect) {
        // The tasks that are done are forgotten.
        while self.tasks.try_join_next().is_some() {}
        match effect {
            Effect::Follow(room, after) => self.follow(room, after),
            Effect::Send(letter) => self.send(letter),
            Effect::ReadRooms => self.ask(|session| async move {
                let rooms = session.my_rooms().await;
                Input::Rooms(rooms.map(|list| list.rooms).map_err(words))
            }),
            Effect::ReadPage(room, span) => self.ask(|session| async move {
                let history = History {
                    span,
                    limit: PAGE,
                    ..History::default()
                };
                let page = finding::patiently(|| session.history(room, &history)).await;
                Input::Page {
                    room,
                    span,
                    page: page.map_err(words),
                }
            }),
            Effect::Edit(room, seq, body) => {
                self.change(
                    |session| async move { session.edit(room, seq, &body).await.map(drop) },
                );
            }
            Effect::Delete(room, seq) => {
                self.change(|session| async move { session.delete_message(room, seq).await });
            }
            Effect::MarkRead(room, seq) => {
                let room = self.connection.room(room);
                self.tell(async move { room.mark_read(seq).await });
            }
            Effect::Typing(room, on) => {
                let room = self.connection.room(room);
                self.tell(async move { room.typing(on).await });
            }
            Effect::FindRooms(word) => self.ask(|session| async move {
                let query = RoomName::search_key(&word);
                let find = FindRooms {
                    query,
                    limit: 50,
                    ..FindRooms::default()
                };
                let rooms = session.find_rooms(&find).await;
                Input::Found {
                    word,
                    rooms: rooms.map(|list| list.rooms).map_err(words),
                }
            }),
            Effect::Search(word) => self.ask(|session| async move {
                let hits = search(&session, &word).await;
                Input::Hits {
                    word,
                    hits: hits.map_err(words),
                }
            }),
            Effect::React(room, seq, emoji, on) => self.change(|session| async move {
                let Ok(emoji) = &Emoji::parse(emoji) else {
                    return Ok(());
                };
                if on {
                    session.react(room, seq, emoji).await
                } else {
                    session.unreact(room, seq, emoji).await
                }
            }),
            Effect::Direct(names) => {
                self.ask(|session| async move { open_direct(&session, &names).await });
            }
            Effect::Join(room, password) => self.ask(|session| async move {
                let body = JoinBody {
                    password,
                    ..JoinBody::default()
                };
                entered(session.join(room, &body).await.map(|_| room))
            }),
            Effect::JoinNamed(name) => {
                self.ask(|session| async move { join_named(&session, &name).await });
            }
            Effect::Create(name) => self.ask(|session| async move {
                let body = CreateRoomBody {
                    name: Some(name),
                    topic: None,
                    visibility: None,
                    password: None,
                    max_members: None,
                    history: None,
                };
                entered(session.create_room(&body).await.map(|room| room.id))
            }),
            Effect::SendFile(room, path) => {
                self.ask(
                    |session| async move { told(carrying::send(&session, room, &path).await) },
                );
            }
            Effect::Save(files) => {
                self.ask(|session| async move { told(carrying::save(&session, &files).await) });
            }
            Effect::Leave(room) => self.change(|session| async move { session.leave(room).await }),
            Effect::Topic(room, topic) => self.change(|session| async move {
                session.change_room(room, &topic_of(topic)).await.map(drop)
            }),
            Effect::Keep | Effect::Bell | Effect::Redraw | Effect::Suspend | Effect::Quit => {}
        }
    }

    /// Calls the server and tells what it answered.
    fn ask<F>(&mut self, call: impl FnOnce(Session) -> F)
    where
        F: Future<Output = Input> + Send + 'static,
    {
        let told = self.told.clone();
        let called = call(self.session.clone());
        self.tasks.spawn(async move {
            let input = called.await;
            // Nobody listens when the chat has ended.
            drop(told.send(input).await);
        });
    }

    /// Has the server change something, of which the room then hears; only a refusal is told.
    fn change<F>(&mut self, call: impl FnOnce(Session) -> F)
    where
        F: Future<Output = client::Result<()>> + Send + 'static,
    {
        let (told, called) = (self.told.clone(), call(self.session.clone()));
        self.tasks.spawn(async move {
            if let Err(error) = called.await {
                drop(told.send(Input::Refused(words(error))).await);
            }
        });
    }

    /// Tells the server what may be lost.
    fn tell(&mut self, told: impl Future<Output = client::Result<()>> + Send + 'static) {
        self.tasks.spawn(async move { drop(told.await) });
    }

    fn follow(&mut self, id: RoomId, after: Seq) {
        let (room, told) = (self.connection.room(id), self.told.clone());
        let follow = self.tasks.spawn(async move {
            let Ok(mut events) = room.events(Start::After(after, None)).await else {
                return;
            };
            while let Some(delivery) = events.next().await {
                if told.send(Input::Delivery(id, delivery)).await.is_err() {
                    return;
                }
            }
        });
        if let Some(before) = self.follows.insert(id, follow) {
            before.abort();
        }
    }

    fn send(&mut self, letter: Letter) {
        let (room, told) = (self.connection.room(letter.room), self.told.clone());
        let Ok(name) = ClientId::parse(&letter.client_id) else {
            return;
        };
        let mut draft = Draft::new(letter.body).named(name);
        if let Some(seq) = letter.reply_to {
            draft = draft.reply_to(seq);
        }
        if let Some(seq) = letter.thread {
            draft = draft.in_thread(seq);
        }
        // Here and not in the task: messages are stored in the order of writing.
        let submitted = room.try_submit(draft);
        self.tasks.spawn(async move {
            let answer = match submitted {
                Ok(receipt) => receipt.await,
                Err(error) => Err(error),
            };
            let answer = match answer {
                Ok(ack) => Ok(ack.seq),
                // It stays among what is kept, and is sent when the chat comes back.
                Err(Error::Ended(_)) => return,
                Err(error) => Err(words(error)),
            };
            let client_id = letter.client_id;
            drop(
                told.send(Input::Sent {
                    room: letter.room,
                    client_id,
                    answer,
                })
                .await,
            );
        });
    }
}

fn told(done: anyhow::Result<String>) -> Input {
    match done {
        Ok(what) => Input::Told(what),
        Err(error) => Input::Refused(format!("{error:#}")),
    }
}

fn entered(joined: client::Result<RoomId>) -> Input {
    match joined {
        Ok(room) => Input::Entered(room),
        Err(error) => Input::Refused(words(error)),
    }
}

async fn join_named(session: &Session, name: &str) -> Input {
    let room = match finding::public_room(session, name).await {
        Ok(room) => room,
        Err(error) => return Input::Refused(format!("{error:#}")),
    };
    match session.join(room, &JoinBody::default()).await {
        Err(error) if error.code() == Some(ErrorCode::WrongPassword) => {
            Input::Locked(room, name.to_owned())
        }
        joined => entered(joined.map(|_| room)),
    }
}

/// Looks through every room, as far as a person looks through what was found.
async fn search(session: &Session, word: &str) -> client::Result<Vec<Hit>> {
    let mut hits = Vec::new();
    let mut page = Page {
        limit: 50,
        ..Page::default()
    };
    for _ in 0..PAGES_MOST {
        let found = session.search(word, None, &page).await?;
        hits.extend(found.hits);
        page.cursor = found.next_cursor;
        if page.cursor.is_none() || hits.len() >= HITS_MOST {
            break;
        }
    }
    Ok(hits)
}

async fn open_direct(session: &Session, names: &[String]) -> Input {
    let mut people = Vec::new();
    for name in names {
        let find = FindUsers {
            query: name.clone(),
            limit: 50,
        };
        let found = match session.find_users(&find).await {
            Ok(found) => found.users,
            Err(error) => return Input::Refused(words(error)),
        };
        match found.iter().find(|user| user.username == *name) {
            Some(user) => people.push(user.id),
            None => return Input::Refused(format!("nobody is called {name}")),
        }
    }
    entered(session.open_direct(&people).await.map(|room| room.id))
}

fn topic_of(topic: String) -> ChangeRoomBody {
    ChangeRoomBody {
        name: None,
        topic: Some(topic),
        visibility: None,
        password: None,
        max_members: None,
        history: None,
        archived: None,
        slow_mode_s: None,
    }
}

/// An error as people want to know it.
fn words(error: Error) -> String {
    match error {
        Error::Refused(refusal) => refusal.to_string(),
        Error::Unreachable(_) => "the server does not answer".to_owned(),
        error => error.to_string(),
    }
}
