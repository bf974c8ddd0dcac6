//! One room of the chat: how it is called, what was said, who is there, and what is being written.

use std::collections::BTreeMap;

use protocol::{
    RoomId, Seq, Timestamp, UserId,
    accounts::UserSummary,
    frame::{Online, PresenceState},
    messages::{Message, Span},
    rooms::{MyRoom, Room as AnyRoom, Visibility},
};

use super::{compose::Compose, happening::Letter, log::Log};

/// One room.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) id: RoomId,
    pub(super) name: String,
    pub(super) topic: String,
    pub(super) visibility: Visibility,
    pub(super) is_archived: bool,
    /// The place of its latest event.
    pub(super) head: Seq,
    /// How far this user has read.
    pub(super) read: Seq,
    /// How far the server was told that this user has read.
    pub(super) marked: Seq,
    /// Messages of others that this user has not read.
    pub(super) unread: u64,
    /// Whether one of them calls this user by name.
    pub(super) is_called: bool,
    pub(super) log: Log,
    /// Behind which place everything was new when the room was opened.
    pub(super) new_behind: Option<Seq>,
    /// Messages of this user that are on their way.
    pub(super) pending: Vec<Letter>,
    /// Who is there, and in which way.
    pub(super) people: BTreeMap<UserId, (UserSummary, PresenceState)>,
    /// How many are there, known or not.
    pub(super) online: u32,
    /// Who types, and until when that is believed.
    pub(super) typing: BTreeMap<UserId, (String, Timestamp)>,
    pub(super) compose: Compose,
    /// What the text that is being written is.
    pub(super) intent: Intent,
    /// The message that is looked at, to do something with.
    pub(super) selected: Option<Seq>,
    /// Rows that are hidden below what is shown.
    pub(super) hidden: usize,
    /// When the others were last told that this user types.
    pub(super) told_typing: Option<Timestamp>,
}

/// What a text is that is being written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Intent {
    #[default]
    Say,
    Reply(Seq),
    /// In the thread that begins there.
    Thread(Seq),
    Edit(Seq),
}

impl Room {
    pub(super) fn new(mine: &MyRoom, me: UserId) -> Self {
        let mut room = Self {
            id: mine.room.id,
            name: String::new(),
            topic: String::new(),
            visibility: mine.room.visibility,
            is_archived: false,
            head: Seq::ZERO,
            read: Seq::ZERO,
            marked: Seq::ZERO,
            unread: 0,
            is_called: false,
            log: Log::default(),
            new_behind: None,
            pending: Vec::new(),
            people: BTreeMap::new(),
            online: 0,
            typing: BTreeMap::new(),
            compose: Compose::default(),
            intent: Intent::Say,
            selected: None,
            hidden: 0,
            told_typing: None,
        };
        room.update(mine, me);
        room
    }

    /// What the server's list says about it; what was heard since is newer.
    pub(super) fn update(&mut self, mine: &MyRoom, me: UserId) {
        let head = mine.room.head.unwrap_or_default();
        self.name = called(&mine.room, me);
        self.topic.clone_from(&mine.room.topic);
        self.visibility = mine.room.visibility;
        self.is_archived = mine.room.archived_at.is_some();
        // A list that was made before the latest was read, or written, does not count.
        if head >= self.head && mine.read >= self.read {
            self.unread = mine.room.unread.unwrap_or(0);
            self.is_called = mine.mentions > 0;
        }
        self.head = self.head.max(head);
        self.read = self.read.max(mine.read);
        self.marked = self.marked.max(mine.read);
        if self.unread == 0 {
            self.is_called = false;
        }
    }

    /// Everything was read, here or on another device.
    pub(super) fn read_up_to(&mut self, seq: Seq) {
        self.read = self.read.max(seq);
        if self.read >= self.head {
            self.unread = 0;
            self.is_called = false;
        }
    }

    /// The page to ask for, if none is on its way.
    pub(super) fn ask(&mut self, span: Span) -> Option<Span> {
        if self.log.reading.is_some() {
            return None;
        }
        self.log.reading = Some(span);
        Some(span)
    }

    /// Of these messages, those that were on their way no longer are.
    pub(super) fn is_stored(&mut self, messages: &[Message]) {
        let names: Vec<_> = messages
            .iter()
            .filter_map(|message| message.content.client_id.as_ref())
            .collect();
        self.pending
            .retain(|letter| names.iter().all(|name| name.as_str() != letter.client_id));
    }

    /// Who is there from now on.
    pub(super) fn arrived(&mut self, online: Online) {
        self.online = online.count;
        self.people = online
            .users
            .into_iter()
            .map(|one| (one.user.id, (one.user, one.state)))
            .collect();
    }

    /// Somebody is here in another way.
    pub(super) fn is_now(&mut self, user: UserSummary, state: PresenceState) {
        let id = user.id;
        let was_known = if state == PresenceState::Offline {
            self.typing.remove(&id);
            self.people.remove(&id).is_some()
        } else {
            self.people.insert(id, (user, state)).is_some()
        };
        match (state, was_known) {
            (PresenceState::Offline, true) => self.online = self.online.saturating_sub(1),
            (PresenceState::Offline, false) | (_, true) => {}
            (_, false) => self.online += 1,
        }
    }

    /// What the text that is being written becomes when it is given up.
    pub(super) fn give_up(&mut self) {
        if matches!(self.intent, Intent::Edit(_)) {
            self.compose.take();
        }
        self.intent = Intent::Say;
    }
}

/// What a room is called: a conversation by the people in it.
fn called(room: &AnyRoom, me: UserId) -> String {
    let others = room.people.iter().filter(|person| person.id != me);
    let names: Vec<_> = others.map(|person| person.display_name.as_str()).collect();
    match (room.visibility, names.is_empty()) {
        (Visibility::Direct, false) => names.join(", "),
        (Visibility::Direct, true) => "myself".to_owned(),
        _ => room.name.clone(),
    }
}
