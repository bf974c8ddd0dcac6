//! The rooms of a node as its links reach them, and what goes wrong there on purpose.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use protocol::RoomId;

use super::world::{Broken, World};
use crate::{
    peers::{
        Guest, Link, LocalRooms,
        frame::{News, Word},
    },
    rooms::Rooms,
};

/// Passes everything on, unless it is broken.
#[derive(Clone)]
pub(super) struct Ears {
    pub(super) world: Arc<World>,
    pub(super) rooms: Rooms,
    /// How many messages were passed on.
    appends: Arc<AtomicU64>,
}

/// One message in so many is forgotten.
const FORGETS_EVERY: u64 = 10;

impl Ears {
    pub(super) fn new(world: &Arc<World>, rooms: &Rooms) -> Self {
        Self {
            world: Arc::clone(world),
            rooms: rooms.clone(),
            appends: Arc::default(),
        }
    }
}

impl LocalRooms for Ears {
    async fn hear(&self, link: &Link, room: RoomId, news: News) {
        let tells_of_loss = matches!(news, News::Lost | News::Head(_));
        if !(tells_of_loss && self.world.is_broken(Broken::NoticesNoLoss)) {
            self.rooms.hear(link, room, news).await;
        }
    }

    async fn guest(&self, guest: &Guest, room: RoomId, word: Word) {
        if matches!(word, Word::Append { .. }) && self.world.is_broken(Broken::ForgetsMessages) {
            let count = self.appends.fetch_add(1, Ordering::Relaxed);
            if count.is_multiple_of(FORGETS_EVERY) {
                return;
            }
        }
        self.rooms.guest(guest, room, word).await;
    }

    fn moved(&self) {
        self.rooms.moved();
    }
}
