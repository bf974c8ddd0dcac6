//! What becomes of the chat when the server, the connection or time says something.

use client::{Delivery, RoomEnded};
use protocol::{
    RoomId, Seq, Timestamp,
    events::{Event, EventKind},
    messages::Span,
    rooms::{MyRoom, Room as AnyRoom, Visibility},
    search::Hit,
};

use super::{
    super::{
        blocks,
        happening::{Effect, Letter, Link},
        layout::Layout,
        room::Room,
    },
    Chat, Sheet, calls,
};

/// Rooms that were joined elsewhere are noticed so soon.
const READ_ROOMS_MS: i64 = 60_000;
/// Typing is believed for so long after it was last told.
const TYPING_MS: i64 = 6_000;

impl Chat {
    pub(super) fn tick(&mut self) -> Vec<Effect> {
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

    pub(super) fn linked(&mut self, link: Link) -> Vec<Effect> {
        let is_back = link == Link::Live && self.link != Link::Live;
        self.link = link;
        if !is_back {
            return Vec::new();
        }
        self.asked_rooms = Some(self.now);
        vec![Effect::ReadRooms]
    }

    pub(super) fn listed(&mut self, rooms: &[MyRoom]) -> Vec<Effect> {
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

    pub(super) fn delivered(&mut self, id: RoomId, delivery: Delivery) -> Vec<Effect> {
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

    pub(super) fn sent(
        &mut self,
        id: RoomId,
        client_id: &str,
        answer: Result<Seq, String>,
    ) -> Vec<Effect> {
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

    pub(super) fn found(
        &mut self,
        asked: &str,
        found: Result<Vec<AnyRoom>, String>,
    ) -> Vec<Effect> {
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

    pub(super) fn hit(&mut self, searched: &str, found: Result<Vec<Hit>, String>) -> Vec<Effect> {
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
