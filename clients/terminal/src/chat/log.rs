//! What was said in one room, as far as it is known here: a stretch of messages without a hole, which
//! events and pages of history change.

use std::collections::BTreeMap;

use protocol::{
    Seq, Timestamp, UserId,
    accounts::UserSummary,
    events::{Edited, Event, EventKind, Reacted},
    files::File,
    marks::Reaction,
    mentions::Mention,
    messages::{Message, MessageContent, MessageList, Span},
};

use crate::text::{self, on_one_line};

/// A stretch of a room's log.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: BTreeMap<Seq, Entry>,
    /// Whether there is something before the first one.
    pub(super) has_older: bool,
    /// Whether there is something behind the last one: the stretch is one of the past.
    pub(super) has_newer: bool,
    /// Whether any page was read.
    pub(super) is_loaded: bool,
    /// A page that is on its way.
    pub(super) reading: Option<Span>,
    /// Changes of messages, by their own places: a page that was read before them does not know them.
    changes: BTreeMap<Seq, Change>,
}

/// One entry.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) seq: Seq,
    /// Changes up to this place are in it.
    as_of: Seq,
    pub(super) at: Timestamp,
    pub(super) user: UserSummary,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Said {
        body: String,
        is_edited: bool,
        reply_to: Option<Seq>,
        mentions: Vec<Mention>,
        reactions: Vec<Reaction>,
        is_pinned: bool,
        /// The message whose thread it is in.
        thread: Option<Seq>,
        /// How many are in the thread that begins with it.
        replies: u64,
        files: Vec<File>,
    },
    Deleted,
    /// Something that is no message, in words.
    Did(String),
}

/// What became of a message.
#[derive(Clone, Debug)]
struct Change {
    target: Seq,
    what: Changed,
}

#[derive(Clone, Debug)]
enum Changed {
    Edited(Edited),
    Deleted,
    Reacted {
        emoji: String,
        is_mine: bool,
        on: bool,
    },
    Pinned(bool),
    /// Somebody answered in its thread.
    Answered,
}

/// More changes than this are forgotten, the oldest first; a page takes no longer than so many.
const CHANGES_MOST: usize = 1_000;

impl Log {
    /// The entries, the latest first.
    pub(super) fn latest_first(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().rev()
    }

    pub(super) fn entry(&self, seq: Seq) -> Option<&Entry> {
        self.entries.get(&seq)
    }

    pub(super) fn first(&self) -> Option<Seq> {
        self.entries.keys().next().copied()
    }

    pub(super) fn last(&self) -> Option<Seq> {
        self.entries.keys().next_back().copied()
    }

    /// Where the thread begins in which a message is, or which begins with it.
    pub(super) fn thread_of(&self, seq: Seq) -> Seq {
        match self.entries.get(&seq).map(|entry| &entry.what) {
            Some(What::Said {
                thread: Some(root), ..
            }) => *root,
            _ => seq,
        }
    }

    /// Whether this user reacted to a message with that.
    pub(super) fn has_reaction(&self, seq: Seq, emoji: &str) -> bool {
        let found = self.entries.get(&seq).map(|entry| &entry.what);
        let Some(What::Said { reactions, .. }) = found else {
            return false;
        };
        reactions
            .iter()
            .any(|reaction| reaction.me && reaction.emoji == emoji)
    }

    /// The first entry behind a place that is somebody else's.
    pub(super) fn first_of_others(&self, behind: Seq, me: UserId) -> Option<Seq> {
        let mut later = self.entries.range(behind.next()..);
        later
            .find(|(_, entry)| !entry.is_by(me))
            .map(|(seq, _)| *seq)
    }

    /// The message before or after a place, of those that one can do something with.
    pub(super) fn message_beside(&self, seq: Option<Seq>, is_before: bool) -> Option<Seq> {
        let is_message = |(_, entry): &(&Seq, &Entry)| matches!(entry.what, What::Said { .. });
        let found = match (seq, is_before) {
            (Some(seq), true) => self.entries.range(..seq).rfind(is_message),
            (Some(seq), false) => self.entries.range(seq.next()..).find(is_message),
            (None, _) => self.entries.iter().rfind(is_message),
        };
        found.map(|(seq, _)| *seq)
    }

    /// Something happened in the room; answers whether it added an entry.
    pub(super) fn happened(&mut self, event: &Event, me: UserId) -> bool {
        if let Some(change) = Change::of(event, me) {
            let is_entry = matches!(change.what, Changed::Answered);
            self.change(event.seq, &change);
            self.changes.insert(event.seq, change);
            while self.changes.len() > CHANGES_MOST {
                self.changes.pop_first();
            }
            if !is_entry {
                return false;
            }
        }
        // A first page that is on its way may have been read before this.
        let is_awaited = self.reading == Some(Span::Latest);
        if self.has_newer || !(self.is_loaded || is_awaited) {
            return false;
        }
        let what = match &event.kind {
            EventKind::Message(content) if content.deleted_at.is_some() => What::Deleted,
            EventKind::Message(content) => What::said(content.clone()),
            kind => match text::said(kind) {
                Some(said) => What::Did(said),
                None => return false,
            },
        };
        let entry = Entry {
            seq: event.seq,
            as_of: event.seq,
            at: event.at,
            user: event.user.clone(),
            what,
        };
        self.entries.insert(event.seq, entry).is_none() && self.is_loaded
    }

    /// The page that is on its way does not come, or is not wanted any more.
    pub(super) fn stop_reading(&mut self) {
        self.reading = None;
        if !self.is_loaded {
            // What happened meanwhile has no page that it goes on from.
            self.entries.clear();
        }
    }

    /// A page came; one that nobody waits for any more is passed over.
    pub(super) fn read(&mut self, span: Span, page: MessageList) {
        if self.reading != Some(span) {
            return;
        }
        self.reading = None;
        match span {
            Span::Latest => {
                self.has_older = page.has_more;
                self.has_newer = false;
                self.is_loaded = true;
            }
            Span::Before(_) => self.has_older = page.has_more,
            Span::After(_) => self.has_newer = page.has_more,
            Span::Around(_) => {
                self.entries.clear();
                self.has_older = true;
                self.has_newer = true;
                self.is_loaded = true;
            }
        }
        for message in page.messages {
            let entry = Entry::of(message, page.head);
            self.entries.entry(entry.seq).or_insert(entry);
        }
        for (seq, change) in self.changes.clone() {
            self.change(seq, &change);
        }
    }

    /// Forgets everything: the server has another history, or the stretch is left for another one.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Changes an entry that does not know the change yet.
    fn change(&mut self, seq: Seq, change: &Change) {
        let entry = self.entries.get_mut(&change.target);
        let Some(entry) = entry.filter(|entry| entry.as_of < seq) else {
            return;
        };
        entry.as_of = seq;
        entry.what.change(&change.what);
    }
}

impl Change {
    /// The change that an event is, if it is one.
    fn of(event: &Event, me: UserId) -> Option<Self> {
        let reacted = |reacted: &Reacted, on| {
            let is_mine = event.user.id == me;
            let emoji = reacted.emoji.clone();
            (reacted.target, Changed::Reacted { emoji, is_mine, on })
        };
        let (target, what) = match &event.kind {
            EventKind::Edit(edit) => (edit.target, Changed::Edited(edit.clone())),
            EventKind::Delete(target) => (target.target, Changed::Deleted),
            EventKind::React(react) => reacted(react, true),
            EventKind::Unreact(react) => reacted(react, false),
            EventKind::Pin(target) => (target.target, Changed::Pinned(true)),
            EventKind::Unpin(target) => (target.target, Changed::Pinned(false)),
            EventKind::Message(content) => (content.thread?, Changed::Answered),
            _ => return None,
        };
        Some(Self { target, what })
    }
}

impl What {
    fn said(content: MessageContent) -> Self {
        if content.deleted_at.is_some() {
            return Self::Deleted;
        }
        Self::Said {
            body: content.body,
            is_edited: content.edited_at.is_some(),
            reply_to: content.reply_to,
            mentions: content.mentions,
            reactions: content.reactions,
            is_pinned: content.pinned,
            thread: content.thread,
            replies: content.replies,
            files: content.files,
        }
    }

    fn change(&mut self, changed: &Changed) {
        if matches!(changed, Changed::Deleted) {
            *self = Self::Deleted;
        }
        let Self::Said {
            body,
            is_edited,
            mentions,
            reactions,
            is_pinned,
            replies,
            ..
        } = self
        else {
            return;
        };
        match changed {
            Changed::Edited(edit) => {
                body.clone_from(&edit.body);
                mentions.clone_from(&edit.mentions);
                *is_edited = true;
            }
            Changed::Pinned(on) => *is_pinned = *on,
            Changed::Reacted { emoji, is_mine, on } => count(reactions, emoji, *is_mine, *on),
            Changed::Answered => *replies += 1,
            Changed::Deleted => {}
        }
    }
}

/// One reaction more, or one less.
fn count(reactions: &mut Vec<Reaction>, emoji: &str, is_mine: bool, on: bool) {
    let place = reactions
        .iter()
        .position(|reaction| reaction.emoji == emoji);
    let place = place.unwrap_or_else(|| {
        let emoji = emoji.to_owned();
        reactions.push(Reaction {
            emoji,
            count: 0,
            me: false,
        });
        reactions.len() - 1
    });
    let reaction = &mut reactions[place];
    reaction.count = if on {
        reaction.count + 1
    } else {
        reaction.count.saturating_sub(1)
    };
    if is_mine {
        reaction.me = on;
    }
    reactions.retain(|reaction| reaction.count > 0);
}

impl Entry {
    fn of(message: Message, as_of: Seq) -> Self {
        Self {
            seq: message.seq,
            as_of,
            at: message.at,
            user: message.user,
            what: What::said(message.content),
        }
    }

    /// The text, if there is one.
    pub(super) fn body(&self) -> Option<&str> {
        match &self.what {
            What::Said { body, .. } => Some(body),
            What::Deleted | What::Did(_) => None,
        }
    }

    /// Its files, if it has any.
    pub(super) fn files(&self) -> &[File] {
        match &self.what {
            What::Said { files, .. } => files,
            What::Deleted | What::Did(_) => &[],
        }
    }

    /// What it says in one line: its text, else the names of its files.
    pub(super) fn gist(&self) -> String {
        let body = self.body().unwrap_or("deleted");
        if body.is_empty() {
            let names = self.files().iter().map(|file| on_one_line(&file.name));
            return names.collect::<Vec<_>>().join(", ");
        }
        on_one_line(body)
    }

    pub(super) fn is_by(&self, user: UserId) -> bool {
        self.user.id == user
    }
}
