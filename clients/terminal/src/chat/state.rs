//! The whole chat as it is at a moment. It changes by [`Chat::apply`] alone, and is drawn by `draw` alone;
//! neither reads a clock, a socket or a terminal.

use std::collections::BTreeMap;

use client::{Delivery, RoomEnded};
use jiff::tz::TimeZone;
use protocol::{
    RoomId, Seq, Timestamp, UserId,
    events::{Event, EventKind},
    mentions::{EVERYBODY, Mention},
    messages::Span,
    rooms::{MyRoom, Room as AnyRoom, Visibility},
    search::Hit,
};

use super::{
    blocks,
    happening::{Effect, Input, Letter, Link},
    layout::Layout,
    room::Room,
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
/// Rooms that were joined elsewhere are noticed so soon.
const READ_ROOMS_MS: i64 = 60_000;
/// The server hears of what was read at most so often.
const MARK_EVERY_MS: i64 = 500;
/// Typing is believed for so long after it was last told.
const TYPING_MS: i64 = 6_000;

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
                        room.log.reading = None;
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
    pub(super) fn write(&mut self, room: RoomId, body: String, reply_to: Option<Seq>) -> Effect {
        self.named += 1;
        let client_id = format!("{}-{}", self.me.run, self.named);
        let letter = Letter {
            room,
            client_id,
            body,
            reply_to,
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

    fn tick(&mut self) -> Vec<Effect> {
        let now = self.now;
        self.must_keep |= std::mem::take(&mut self.has_draft);
        if self
            .notice
            .as_ref()
            .is_some_and(|notice| notice.until <= now)
        {
            self.notice = None;
        }
        for room in self.rooms.values_mut() {
            room.typing.retain(|_, (_, until)| *until > now);
        }
        let is_old = |asked: Timestamp| now.unix_ms() - asked.unix_ms() >= READ_ROOMS_MS;
        if self.link == Link::Live && self.asked_rooms.is_none_or(is_old) {
            self.asked_rooms = Some(now);
            return vec![Effect::ReadRooms];
        }
        Vec::new()
    }

    fn linked(&mut self, link: Link) -> Vec<Effect> {
        let is_back = link == Link::Live && self.link != Link::Live;
        self.link = link;
        if !is_back {
            return Vec::new();
        }
        self.asked_rooms = Some(self.now);
        vec![Effect::ReadRooms]
    }

    fn listed(&mut self, rooms: &[MyRoom]) -> Vec<Effect> {
        let mut effects = Vec::new();
        for mine in rooms {
            match self.rooms.get_mut(&mine.room.id) {
                Some(room) => room.update(mine, self.me.id),
                None => {
                    let room = Room::new(mine, self.me.id);
                    effects.push(Effect::Follow(room.id, room.head));
                    self.rooms.insert(room.id, room);
                }
            }
        }
        self.is_loaded = true;
        self.sort();
        let wanted = self.wanted.take();
        let is_it = |room: &&Room, named: &str| {
            room.id.to_string() == *named || room.name.to_lowercase() == named.to_lowercase()
        };
        let found = wanted
            .as_ref()
            .and_then(|named| self.rooms.values().find(|room| is_it(room, named)));
        match (found.map(|room| room.id), wanted) {
            (Some(id), _) => effects.extend(self.enter(id)),
            (None, Some(named)) if named.parse::<RoomId>().is_err() => {
                self.say(format!("no room of yours is called {named}"), true);
            }
            _ => {}
        }
        if self.open.is_none() {
            effects.extend(
                self.order
                    .first()
                    .copied()
                    .map(|first| self.enter(first))
                    .into_iter()
                    .flatten(),
            );
        }
        effects
    }

    fn sort(&mut self) {
        let mut rooms: Vec<_> = self.rooms.values().collect();
        rooms.sort_by_key(|room| {
            (
                room.visibility == Visibility::Direct,
                room.name.to_lowercase(),
                room.id,
            )
        });
        self.order = rooms.into_iter().map(|room| room.id).collect();
    }

    fn delivered(&mut self, id: RoomId, delivery: Delivery) -> Vec<Effect> {
        let now = self.now;
        let Some(room) = self.rooms.get_mut(&id) else {
            return Vec::new();
        };
        match delivery {
            Delivery::Event(event) => return self.happened(id, &event),
            Delivery::Reset { head } => {
                room.head = head;
                room.log.forget();
                room.hidden = 0;
                room.selected = None;
                let mut effects = vec![Effect::ReadRooms];
                if self.open == Some(id) {
                    let span = room.ask(Span::Latest);
                    effects.extend(span.map(|span| Effect::ReadPage(id, span)));
                }
                return effects;
            }
            Delivery::Online(online) => room.arrived(online),
            Delivery::Presence(presence) => room.is_now(presence.user, presence.state),
            Delivery::Typing(typing) if typing.user.id != self.me.id => {
                let until = Timestamp::from_unix_ms(now.unix_ms() + TYPING_MS);
                if typing.on {
                    room.typing
                        .insert(typing.user.id, (typing.user.display_name, until));
                } else {
                    room.typing.remove(&typing.user.id);
                }
            }
            // On another device: what this one told is known here.
            Delivery::Read(read) if read.user == self.me.id && read.seq > room.marked => {
                room.marked = read.seq;
                room.read_up_to(read.seq);
                if room.read < room.head {
                    return vec![Effect::ReadRooms];
                }
            }
            Delivery::Ended(RoomEnded::Replaced | RoomEnded::Connection(_)) => {}
            Delivery::Ended(why) => self.left(id, &why),
            _ => {}
        }
        Vec::new()
    }

    fn happened(&mut self, id: RoomId, event: &Event) -> Vec<Effect> {
        let layout = Layout::of(self);
        let (me, zone) = (self.me.clone(), self.me.zone.clone());
        let is_open = self.open == Some(id);
        let Some(room) = self.rooms.get_mut(&id) else {
            return Vec::new();
        };
        let is_mine = event.user.id == me.id;
        room.head = room.head.max(event.seq);
        let is_added = room.log.happened(event, me.id);
        room.typing.remove(&event.user.id);
        let mut effects = Vec::new();
        match &event.kind {
            EventKind::Message(content) => {
                if is_mine && let Some(name) = &content.client_id {
                    let waited = room.pending.len();
                    room.pending
                        .retain(|letter| letter.client_id != name.as_str());
                    self.must_keep |= room.pending.len() < waited;
                } else if !is_mine && event.seq > room.read {
                    room.unread += 1;
                    let is_called = calls(&content.mentions, me.id);
                    room.is_called |= is_called;
                    if (is_called || room.visibility == Visibility::Direct)
                        && !(is_open && self.is_looked_at)
                    {
                        effects.push(Effect::Bell);
                    }
                }
            }
            EventKind::Room(changed) => {
                if let Some(name) = &changed.changes.name {
                    room.name.clone_from(name);
                }
                if let Some(topic) = &changed.changes.topic {
                    room.topic.clone_from(topic);
                }
            }
            EventKind::Archive(archive) => room.is_archived = archive.archived,
            _ => {}
        }
        // What is shown stays where it is while somebody reads further up.
        if is_added && is_open && room.hidden > 0 {
            room.hidden += blocks::height_of(room, event.seq, &me, &zone, layout.talk.width);
        }
        if matches!(event.kind, EventKind::Room(_)) {
            self.sort();
        }
        effects
    }

    fn sent(&mut self, id: RoomId, client_id: &str, answer: Result<Seq, String>) -> Vec<Effect> {
        let Some(room) = self.rooms.get_mut(&id) else {
            return Vec::new();
        };
        let place = room
            .pending
            .iter()
            .position(|letter| letter.client_id == client_id);
        match answer {
            // Its event is shown instead as soon as it comes, or has come; a past stretch shows neither.
            Ok(seq) => {
                if let Some(place) = place
                    && (room.log.entry(seq).is_some() || room.log.has_newer || !room.log.is_loaded)
                {
                    room.pending.remove(place);
                }
                self.keep();
            }
            Err(why) => {
                if let Some(place) = place {
                    let letter = room.pending.remove(place);
                    give_back(room, letter);
                }
                let name = room.name.clone();
                self.say(format!("not sent to {name}: {why}"), true);
                self.keep();
            }
        }
        Vec::new()
    }

    fn left(&mut self, id: RoomId, why: &RoomEnded) {
        let Some(room) = self.rooms.remove(&id) else {
            return;
        };
        self.say(format!("{}: {why}", room.name), true);
        self.order.retain(|other| *other != id);
        if self.open == Some(id) {
            self.open = None;
        }
        self.keep();
    }

    fn found(&mut self, asked: &str, found: Result<Vec<AnyRoom>, String>) -> Vec<Effect> {
        if let Some(Sheet::Find { word, rooms, index }) = &mut self.sheet
            && word == asked
        {
            match found {
                Ok(found) => (*rooms, *index) = (Some(found), 0),
                Err(why) => self.say(why, true),
            }
        }
        Vec::new()
    }

    fn hit(&mut self, searched: &str, found: Result<Vec<Hit>, String>) -> Vec<Effect> {
        if let Some(Sheet::Search {
            asked, hits, index, ..
        }) = &mut self.sheet
            && asked.as_deref() == Some(searched)
        {
            match found {
                Ok(found) => (*hits, *index) = (Some(found), 0),
                Err(why) => {
                    *asked = None;
                    self.say(why, true);
                }
            }
        }
        Vec::new()
    }
}

/// What was refused is written again, before what is being written.
fn give_back(room: &mut Room, letter: Letter) {
    let written = room.compose.take();
    let text = if written.is_empty() {
        letter.body
    } else {
        format!("{}\n{written}", letter.body)
    };
    room.compose.insert(&text);
}

/// Whether a message calls somebody.
pub(super) fn calls(mentions: &[Mention], user: UserId) -> bool {
    mentions.iter().any(|mention| match mention.id {
        Some(id) => id == user,
        None => mention.username == EVERYBODY,
    })
}
