//! What outlives the program: the room that was shown, what was being written, and messages that have no
//! answer yet. These are sent under their own names when the chat comes back, so that each is stored once.

use std::collections::BTreeMap;

use protocol::RoomId;
use serde::{Deserialize, Serialize};

use super::{
    happening::{Effect, Letter},
    room::Intent,
    state::Chat,
};

/// The file of it.
pub(super) const FILE: &str = "chat.json";

/// What outlives the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) room: Option<RoomId>,
    pub(super) drafts: BTreeMap<RoomId, String>,
    pub(super) letters: Vec<Letter>,
}

impl Kept {
    /// What is to be kept of a chat. What was kept of rooms that are not there yet stays.
    pub(super) fn of(chat: &Chat, before: &Self) -> Self {
        let is_gone = |room: &RoomId| !chat.rooms.contains_key(room);
        let mut kept = Self {
            room: chat.open.or(before.room),
            drafts: before.drafts.clone(),
            letters: before
                .letters
                .iter()
                .filter(|letter| is_gone(&letter.room))
                .cloned()
                .collect(),
        };
        kept.drafts.retain(|room, _| is_gone(room));
        for room in chat.rooms.values() {
            if !room.compose.is_blank() && !matches!(room.intent, Intent::Edit(_)) {
                kept.drafts.insert(room.id, room.compose.text().to_owned());
            }
            kept.letters.extend(room.pending.iter().cloned());
        }
        kept
    }

    /// Puts into a chat what was kept of the rooms that have come, and sends what was not answered.
    pub(super) fn restore(&mut self, chat: &mut Chat) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.drafts
            .retain(|id, draft| match chat.rooms.get_mut(id) {
                Some(room) if room.compose.is_empty() => {
                    room.compose.insert(draft);
                    false
                }
                found => found.is_none(),
            });
        self.letters
            .retain(|letter| match chat.rooms.get_mut(&letter.room) {
                Some(room) => {
                    room.pending.push(letter.clone());
                    effects.push(Effect::Send(letter.clone()));
                    false
                }
                None => true,
            });
        effects
    }
}
