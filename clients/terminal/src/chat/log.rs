//! What was said in one room, as far as it is known here: a stretch of messages without a hole, which
//! events and pages of history change.

use std::collections::BTreeMap;

use protocol::{
    Seq, Timestamp, UserId,
    accounts::UserSummary,
    events::{Event, EventKind},
    messages::{Message, MessageList, Span},
};

use crate::text;

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
    },
    Deleted,
    /// Something that is no message, in words.
    Did(String),
}

#[derive(Clone, Debug)]
struct Change {
    target: Seq,
    /// The new text; nothing, if it was deleted.
    body: Option<String>,
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
    pub(super) fn happened(&mut self, event: &Event) -> bool {
        let change = match &event.kind {
            EventKind::Edit(edit) => Some((edit.target, Some(edit.body.clone()))),
            EventKind::Delete(target) => Some((target.target, None)),
            _ => None,
        };
        if let Some((target, body)) = change {
            let change = Change { target, body };
            self.change(&change);
            self.changes.insert(event.seq, change);
            while self.changes.len() > CHANGES_MOST {
                self.changes.pop_first();
            }
            return false;
        }
        if self.has_newer || !self.is_loaded {
            return false;
        }
        let what = match &event.kind {
            EventKind::Message(content) if content.deleted_at.is_some() => What::Deleted,
            EventKind::Message(content) => What::Said {
                body: content.body.clone(),
                is_edited: content.edited_at.is_some(),
                reply_to: content.reply_to,
            },
            kind => match text::said(kind) {
                Some(said) => What::Did(said),
                None => return false,
            },
        };
        let entry = Entry {
            seq: event.seq,
            at: event.at,
            user: event.user.clone(),
            what,
        };
        self.entries.insert(event.seq, entry).is_none()
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
        let head = page.head;
        for message in page.messages {
            let entry = Entry::of(message);
            self.entries.entry(entry.seq).or_insert(entry);
        }
        let later: Vec<_> = self
            .changes
            .range(head.next()..)
            .map(|(_, change)| change.clone())
            .collect();
        for change in &later {
            self.change(change);
        }
    }

    /// Forgets everything: the server has another history, or the stretch is left for another one.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn change(&mut self, change: &Change) {
        let Some(entry) = self.entries.get_mut(&change.target) else {
            return;
        };
        match (&change.body, &mut entry.what) {
            (
                Some(new),
                What::Said {
                    body, is_edited, ..
                },
            ) => {
                body.clone_from(new);
                *is_edited = true;
            }
            (None, what) => *what = What::Deleted,
            (Some(_), _) => {}
        }
    }
}

impl Entry {
    fn of(message: Message) -> Self {
        let content = message.content;
        let what = if content.deleted_at.is_some() {
            What::Deleted
        } else {
            What::Said {
                body: content.body,
                is_edited: content.edited_at.is_some(),
                reply_to: content.reply_to,
            }
        };
        Self {
            seq: message.seq,
            at: message.at,
            user: message.user,
            what,
        }
    }

    /// The text, if there is one.
    pub(super) fn body(&self) -> Option<&str> {
        match &self.what {
            What::Said { body, .. } => Some(body),
            What::Deleted | What::Did(_) => None,
        }
    }

    pub(super) fn is_by(&self, user: UserId) -> bool {
        self.user.id == user
    }
}
