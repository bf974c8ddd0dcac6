//! The whole chat as it is at a moment. It changes by [`Chat::apply`] alone, and is drawn by `draw` alone;
//! neither reads a clock, a socket or a terminal.

mod heard;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use protocol::{
    RoomId, Seq, Timestamp, UserId,
    mentions::{EVERYBODY, Mention},
    messages::Span,
    rooms::Room as AnyRoom,
    search::Hit,
};

use super::{
    happening::{Effect, Input, Letter, Link},
    room::{Intent, Room},
};

/// Who chats, and where.
#[derive(Clone, Debug)]
pub(super) struct Me {
    pub(super) id: UserId,
    pub(super) username: String,
    /// The server, as it is shown.
    pub(super) server: String,
    pub(super) zone: TimeZone,
    /// What the names of this run's messages begin with.
    pub(super) run: String,
}

/// The whole chat.
#[derive(Debug)]
pub(super) struct Chat {
    pub(super) me: Me,
    pub(super) now: Timestamp,
    pub(super) link: Link,
    pub(super) rooms: BTreeMap<RoomId, Room>,
    /// The rooms as they are listed.
    pub(super) order: Vec<RoomId>,
    /// The room that is shown.
    pub(super) open: Option<RoomId>,
    /// What lies over it.
    pub(super) sheet: Option<Sheet>,
    pub(super) notice: Option<Notice>,
    /// Columns and rows.
    pub(super) size: (u16, u16),
    /// Whether the list of rooms was read.
    pub(super) is_loaded: bool,
    is_looked_at: bool,
    /// The room to open, by name or id, once it is there.
    wanted: Option<String>,
    /// How many messages this run has named.
    named: u64,
    /// When the list of rooms was last asked for.
    asked_rooms: Option<Timestamp>,
    /// Whether what is kept on disk is out of date.
    must_keep: bool,
    /// When the server last heard of what was read.
    marked_at: Timestamp,
    /// Whether a draft is newer than what is kept.
    has_draft: bool,
}

/// What lies over the conversation.
#[derive(Clone, Debug)]
pub(super) enum Sheet {
    Help,
    /// Going to one of one's rooms by a part of its name.
    Go {
        word: String,
        index: usize,
    },
    /// Joining a room that anyone may find.
    Find {
        word: String,
        index: usize,
        rooms: Option<Vec<AnyRoom>>,
    },
    /// Looking for a word.
    Search {
        word: String,
        index: usize,
        asked: Option<String>,
        hits: Option<Vec<Hit>>,
    },
    /// The password of a room that is to be joined.
    Password {
        room: RoomId,
        name: String,
        word: String,
    },
    /// Asking before something that cannot be undone.
    Sure(Sure),
}

/// What cannot be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sure {
    Delete(RoomId, Seq),
    Leave(RoomId),
}

/// A word to the person, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) text: String,
    pub(super) is_bad: bool,
    until: Timestamp,
}

/// How long a notice is shown, and a bad one.
const SHOWN_MS: i64 = 5_000;
const SHOWN_BAD_MS: i64 = 12_000;
/// The server hears of what was read at most so often.
const MARK_EVERY_MS: i64 = 500;

impl Chat {
    pub(super) fn new(me: Me, wanted: Option<String>) -> Self {
        Self {
            me,
            now: Timestamp::default(),
            link: Link::Connecting,
            rooms: BTreeMap::new(),
            order: Vec::new(),
            open: None,
            sheet: None,
            notice: None,
            size: (80, 24),
            is_loaded: false,
            is_looked_at: true,
            wanted,
            named: 0,
            asked_rooms: None,
            must_keep: false,
            marked_at: Timestamp::default(),
            has_draft: false,
        }
    }

    /// What happened becomes state, and what is to be done about it.
    pub(super) fn apply(&mut self, input: Input, now: Timestamp) -> Vec<Effect> {
        self.now = now;
        match input {
            Input::Key(key) => self.key(key),
            Input::Paste(text) => self.paste(&text),
            Input::Size(columns, rows) => {
                self.size = (columns, rows);
                Vec::new()
            }
            Input::Focus(is_looked_at) => {
                self.is_looked_at = is_looked_at;
                Vec::new()
            }
            Input::Tick => self.tick(),
            Input::Link(link) => self.linked(link),
            Input::Rooms(Ok(rooms)) => self.listed(&rooms),
            Input::Delivery(room, delivery) => self.delivered(room, delivery),
            Input::Page { room, span, page } => {
                let Some(room) = self.rooms.get_mut(&room) else {
                    return Vec::new();
                };
                match page {
                    Ok(page) => {
                        room.is_stored(&page.messages);
                        room.log.read(span, page);
                    }
                    Err(why) => {
                        room.log.stop_reading();
                        self.say(why, true);
                    }
                }
                self.show_selected();
                Vec::new()
            }
            Input::Sent {
                room,
                client_id,
                answer,
            } => self.sent(room, &client_id, answer),
            Input::Found { word, rooms } => self.found(&word, rooms),
            Input::Hits { word, hits } => self.hit(&word, hits),
            Input::Entered(room) => {
                self.wanted = Some(room.to_string());
                vec![Effect::ReadRooms]
            }
            Input::Locked(room, name) => self.opens(Sheet::Password {
                room,
                name,
                word: String::new(),
            }),
            Input::Told(what) => {
                self.say(what, false);
                Vec::new()
            }
            Input::Rooms(Err(why)) | Input::Refused(why) => {
                self.say(why, true);
                Vec::new()
            }
        }
    }

    /// What follows from how things stand, once all that happened is taken in.
    pub(super) fn settle(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if std::mem::take(&mut self.must_keep) {
            effects.push(Effect::Keep);
        }
        let is_seen = self.is_looked_at && self.sheet.is_none();
        if let Some(room) = self.open.and_then(|open| self.rooms.get_mut(&open))
            && is_seen
            && room.hidden == 0
            && room.log.is_loaded
            && !room.log.has_newer
        {
            room.read_up_to(room.head);
        }
        // In a busy room a mark for each message would be too many.
        let is_due = self.now.unix_ms() - self.marked_at.unix_ms() >= MARK_EVERY_MS;
        if is_due && self.link == Link::Live {
            for room in self
                .rooms
                .values_mut()
                .filter(|room| room.marked < room.read)
            {
                room.marked = room.read;
                self.marked_at = self.now;
                effects.push(Effect::MarkRead(room.id, room.read));
            }
        }
        effects
    }

    /// The room that is shown.
    pub(super) fn shown(&self) -> Option<&Room> {
        self.rooms.get(&self.open?)
    }

    pub(super) fn shown_mut(&mut self) -> Option<&mut Room> {
        self.rooms.get_mut(&self.open?)
    }

    pub(super) fn say(&mut self, text: impl Into<String>, is_bad: bool) {
        let shown_ms = if is_bad { SHOWN_BAD_MS } else { SHOWN_MS };
        let until = Timestamp::from_unix_ms(self.now.unix_ms() + shown_ms);
        self.notice = Some(Notice {
            text: text.into(),
            is_bad,
            until,
        });
    }

    /// What is kept on disk is out of date.
    pub(super) fn keep(&mut self) {
        self.must_keep = true;
    }

    /// A draft changed, which is kept with the next tick.
    pub(super) const fn keep_soon(&mut self) {
        self.has_draft = true;
    }

    /// Shows a room, from its end.
    pub(super) fn enter(&mut self, id: RoomId) -> Vec<Effect> {
        if self.open == Some(id) {
            return Vec::new();
        }
        let Some(room) = self.rooms.get_mut(&id) else {
            return Vec::new();
        };
        room.hidden = 0;
        room.selected = None;
        room.new_behind = (room.unread > 0).then_some(room.read);
        let is_needed = !room.log.is_loaded || room.log.has_newer;
        if room.log.has_newer {
            room.log.forget();
        }
        let span = if is_needed {
            room.ask(Span::Latest)
        } else {
            None
        };
        self.open = Some(id);
        self.keep();
        span.map(|span| Effect::ReadPage(id, span))
            .into_iter()
            .collect()
    }

    /// Names a message and puts it on its way.
    pub(super) fn write(&mut self, room: RoomId, body: String, intent: Intent) -> Effect {
        self.named += 1;
        let client_id = format!("{}-{}", self.me.run, self.named);
        let letter = Letter {
            room,
            client_id,
            body,
            reply_to: match intent {
                Intent::Reply(seq) => Some(seq),
                _ => None,
            },
            thread: match intent {
                Intent::Thread(seq) => Some(seq),
                _ => None,
            },
        };
        self.keep();
        if let Some(room) = self.rooms.get_mut(&room) {
            room.pending.push(letter.clone());
            room.hidden = 0;
            room.new_behind = None;
        }
        Effect::Send(letter)
    }

    /// Messages that have no answer yet.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = &Letter> {
        self.rooms.values().flat_map(|room| &room.pending)
    }
}

/// Whether a message calls somebody.
pub(super) fn calls(mentions: &[Mention], user: UserId) -> bool {
    mentions.iter().any(|mention| match mention.id {
        Some(id) => id == user,
        None => mention.username == EVERYBODY,
    })
}
