//! What a server says on a bare socket, and what that means to who is listening.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use protocol::{
    ErrorCode, RoomId,
    frame::{Ack, ErrorFrame, Goaway, ServerFrame, Subscribed, UnsubscribeReason},
};
use tokio::time::sleep;

use super::{super::person::is_outside, Errand, Talker, Words};
use crate::{
    chance::Chance as _,
    diary::{Diary, End, Item, KeptBy, Outcome},
};

/// So many percent of what is written is said again after it was acked.
const TWICE_PERCENT: usize = 10;
/// After how long to try again when the server does not say.
const AGAIN: Duration = Duration::from_millis(500);

impl Talker {
    /// Takes in one frame.
    pub(super) fn hear(&mut self, text: &str) -> Result<()> {
        match serde_json::from_str(text).context("a frame that is none")? {
            ServerFrame::Subscribed(frame) => self.subscribed(&frame),
            ServerFrame::Unsubscribed(frame) => self.unsubscribed(frame.room, frame.reason),
            ServerFrame::Event(event) => {
                let Some(stream) = self.streams.get_mut(&event.room) else {
                    bail!("an event of a room that is not followed");
                };
                self.person.hears(stream, &event);
                self.reached.insert(event.room, event.seq);
            }
            ServerFrame::Ack(ack) => self.acked(&ack),
            ServerFrame::Error(frame) => self.refused(&frame),
            ServerFrame::Goaway(frame) => self.told_to_go(&frame)?,
            _ => {}
        }
        Ok(())
    }

    fn subscribed(&mut self, frame: &Subscribed) {
        let asked = frame
            .id
            .as_ref()
            .and_then(|id| self.asked.remove(id.as_str()));
        let Some((room, after)) = asked else { return };
        self.finish(room, End::Left);
        let mut stream = self.person.stream(room, KeptBy::Server, after);
        let mut last = after;
        if frame.reset {
            stream.items.push(Item::Reset(frame.head));
            last = frame
                .events
                .first()
                .map_or(frame.head, |event| event.seq.previous());
        }
        for event in &frame.events {
            self.person.hears(&mut stream, event);
            last = event.seq;
        }
        self.reached.insert(room, last);
        self.streams.insert(room, stream);
    }

    fn unsubscribed(&mut self, room: RoomId, reason: UnsubscribeReason) {
        self.finish(room, End::Unsubscribed(reason));
        self.come_again(room);
    }

    fn finish(&mut self, room: RoomId, end: End) {
        if let Some(mut stream) = self.streams.remove(&room) {
            stream.end = end;
            self.diary.streams.push(stream);
        }
    }

    /// Joins again after a while, and follows the room.
    fn come_again(&mut self, room: RoomId) {
        let person = Arc::clone(&self.person);
        self.errands.spawn(async move {
            let mut diary = Diary::default();
            person.comes_again(room, &mut diary).await;
            (Errand::Follow(room), diary)
        });
    }

    /// Runs an errand after a while.
    fn later(&mut self, after: Duration, errand: Errand) {
        self.errands.spawn(async move {
            sleep(after).await;
            (errand, Diary::default())
        });
    }

    fn acked(&mut self, ack: &Ack) {
        let Some(name) = ack.id.as_ref().map(|id| id.as_str().to_owned()) else {
            return;
        };
        if let Some(words) = self.settle(&name, self.person.acked(ack.seq)) {
            if self.person.random.percent(TWICE_PERCENT) {
                self.twice = Some(words.clone());
            }
            let (person, seq) = (Arc::clone(&self.person), ack.seq);
            self.errands.spawn(async move {
                let mut diary = Diary::default();
                diary.changes.extend(person.reconsider(&words, seq).await);
                (Errand::None, diary)
            });
        }
    }

    fn refused(&mut self, frame: &ErrorFrame) {
        let Some(name) = frame.id.as_ref().map(|id| id.as_str().to_owned()) else {
            return;
        };
        let again = frame.retry_after_ms.map_or(AGAIN, Duration::from_millis);
        let is_passing = matches!(
            frame.code,
            ErrorCode::RateLimited | ErrorCode::Unavailable | ErrorCode::SlowMode
        );
        if let Some((room, _)) = self.asked.remove(&name) {
            if is_outside(frame.code) {
                self.finish(room, End::Refused(frame.code));
                self.come_again(room);
            } else {
                self.later(again, Errand::Follow(room));
            }
            return;
        }
        if !is_outside(frame.code) {
            let person = Arc::clone(&self.person);
            let why = format!("{:?}: {}", frame.code, frame.message);
            person.failed(&mut self.diary, "send on a bare socket", &why);
        }
        if is_passing {
            self.later(again, Errand::Send(name));
        } else {
            let at = self.person.board.now();
            self.settle(&name, Outcome::Refused(frame.code, at));
        }
    }

    /// Somebody who says their own goodbye: what has no ack is resent on the next socket.
    fn told_to_go(&mut self, frame: &Goaway) -> Result<()> {
        bail!("told to go: {:?}", frame.reason)
    }

    /// The first message of this name has its answer.
    fn settle(&mut self, name: &str, outcome: Outcome) -> Option<Words> {
        let place = self
            .unacked
            .iter()
            .position(|(words, _)| words.name == name)?;
        let (words, mut sent) = self.unacked.remove(place);
        self.person.answered(&mut sent, outcome);
        self.diary.sends.push(sent);
        Some(words)
    }
}
