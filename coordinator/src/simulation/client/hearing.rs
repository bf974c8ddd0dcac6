//! What a client hears, and how it notices that the server does not keep its promises.

use protocol::{
    ErrorCode, RoomId, Seq, UserId,
    events::{Event, EventKind},
    frame::{Ack, ErrorFrame, FrameId, ServerFrame, Subscribed},
    text::ClientId,
};

use super::{
    super::{
        logs::{Logs, client_id},
        world::note,
    },
    Acked, Client, Known, Subscription,
};

impl Client {
    /// Takes in everything that waits.
    pub(super) fn read(&mut self, logs: &Logs, known: &mut Known) {
        while let Some(frame) = self
            .session
            .as_ref()
            .and_then(|session| session.pipe.take())
        {
            match frame {
                ServerFrame::Subscribed(subscribed) => self.subscribed(subscribed),
                ServerFrame::Event(event) => self.event(event, logs),
                ServerFrame::Unsubscribed(unsubscribed) => {
                    note!(
                        self.world,
                        "client {} is put out: {:?}",
                        self.number,
                        unsubscribed.reason
                    );
                    self.put_out(unsubscribed.room);
                }
                ServerFrame::Ack(ack) => self.acknowledged(&ack, known),
                ServerFrame::Error(error) => self.refused(&error),
                _ => {}
            }
        }
    }

    fn put_out(&mut self, room: RoomId) {
        let Some(session) = &mut self.session else {
            return;
        };
        // Whoever has asked again meanwhile is answered.
        if let Some(Subscription::Live { .. }) = session.subscriptions.get(&room) {
            let left = Subscription::Left { by_server: true };
            session.subscriptions.insert(room, left);
            self.rooms.entry(room).or_default().wanted = false;
        }
    }

    fn subscribed(&mut self, subscribed: Subscribed) {
        let Subscribed {
            id,
            room,
            head,
            first,
            events,
            reset,
            ..
        } = subscribed;
        let Some(session) = &mut self.session else {
            return;
        };
        let (asked, after) = match session.subscriptions.get(&room) {
            Some(Subscription::Asked { id, after }) => (format!("s{id}"), *after),
            _ => return,
        };
        if id.is_none_or(|id| id.as_str() != asked) {
            // The client has changed its mind, and the server will know.
            return;
        }
        let log = &mut self.rooms.entry(room).or_default().log;
        let before = match after.filter(|_| !reset) {
            Some(after) => {
                log.retain(|event| event.seq <= after);
                after.max(first.previous())
            }
            None => {
                log.clear();
                events.first().map_or(head, |event| event.seq.previous())
            }
        };
        note!(
            self.world,
            "client {} follows from {before}, head {head}{}",
            self.number,
            if reset { ", anew" } else { "" }
        );
        let next = before.next();
        session
            .subscriptions
            .insert(room, Subscription::Live { head, next });
        for event in events {
            self.append(event);
        }
    }

    fn event(&mut self, event: Event, logs: &Logs) {
        let room = event.room;
        let live = self
            .session
            .as_ref()
            .and_then(|session| session.subscriptions.get(&room));
        match live {
            Some(Subscription::Live { head, .. }) => {
                // Whoever was put out after the head that allowed it gets nothing behind that place.
                if let Some(out) = removal(logs.log(room), self.user.id, *head, event.seq) {
                    self.complain(&format!("I9: {} came after {out} put them out", event.seq));
                }
                self.append(event);
            }
            Some(Subscription::Left { by_server: true }) | None => {
                self.complain(&format!("I9: {} of a room that is not followed", event.seq));
            }
            Some(_) => {}
        }
    }

    /// Takes the next event of a room.
    fn append(&mut self, event: Event) {
        let room = event.room;
        let Some(session) = &mut self.session else {
            return;
        };
        let Some(Subscription::Live { next, .. }) = session.subscriptions.get_mut(&room) else {
            return;
        };
        let wanted = *next;
        *next = event.seq.next();
        if event.seq != wanted {
            self.complain(&format!("I5: {} came where {wanted} was next", event.seq));
        }
        let name = client_id(&event).map_or("-", ClientId::as_str);
        note!(
            self.world,
            "client {} has {} {name}",
            self.number,
            event.seq
        );
        self.rooms.entry(room).or_default().log.push(event);
    }

    fn acknowledged(&mut self, ack: &Ack, known: &mut Known) {
        let Some(name) = &ack.client_id else { return };
        note!(
            self.world,
            "client {} has the ack of {} at {}",
            self.number,
            name.as_str(),
            ack.seq
        );
        let reached = known.entry(ack.room).or_default();
        *reached = ack.seq.max(*reached);
        let place = self
            .outgoing
            .iter()
            .position(|outgoing| outgoing.name == *name);
        if let Some(outgoing) = place.and_then(|place| self.outgoing.remove(place)) {
            self.acked.push(Acked {
                name: outgoing.name,
                room: ack.room,
                seq: ack.seq,
                floor: outgoing.floor,
                first_session: outgoing.first_session,
                at_once: !outgoing.was_refused && outgoing.first_session == self.sessions,
            });
        } else if let Some(acked) = self.acked.iter().find(|acked| acked.name == *name)
            && acked.seq != ack.seq
        {
            self.complain(&format!("I2: {} is acked twice", name.as_str()));
        }
    }

    fn refused(&mut self, error: &ErrorFrame) {
        let now_ms = self.world.now_ms();
        let Some(id) = error.id.as_ref().map(FrameId::as_str) else {
            return;
        };
        note!(
            self.world,
            "client {} is refused {id}: {:?}",
            self.number,
            error.code
        );
        let is_for_now = matches!(error.code, ErrorCode::Unavailable | ErrorCode::RateLimited);
        if let Some(name) = id.strip_prefix('m') {
            let place = self.outgoing.iter().position(|it| it.name.as_str() == name);
            let Some(place) = place else { return };
            if is_for_now {
                let outgoing = &mut self.outgoing[place];
                outgoing.was_refused = true;
                outgoing.again_at_ms = Some(now_ms + self.chance.within(100..1_500));
            } else {
                self.outgoing.remove(place);
            }
            return;
        }
        let Some(session) = &mut self.session else {
            return;
        };
        let asked = session.subscriptions.iter().find(|(_, subscription)| {
            matches!(subscription, Subscription::Asked { id: asked, .. } if format!("s{asked}") == id)
        });
        if let Some(room) = asked.map(|(room, _)| *room) {
            session.subscriptions.remove(&room);
            let followed = self.rooms.entry(room).or_default();
            followed.wanted = is_for_now;
            followed.asks_at_ms = now_ms + self.chance.within(100..1_000);
        }
    }

    fn complain(&mut self, what: &str) {
        note!(self.world, "client {} complains: {what}", self.number);
        self.broken.push(format!("client {}: {what}", self.number));
    }
}

/// Where somebody was put out, between the place where they were seen to be a member and an event.
fn removal(log: &[Event], user: UserId, seen: Seq, before: Seq) -> Option<Seq> {
    let removes = |event: &&Event| match &event.kind {
        EventKind::Leave => event.user.id == user,
        EventKind::Kick(kicked) => kicked.member.id == user,
        _ => false,
    };
    let mut between = log
        .iter()
        .filter(|event| event.seq > seen && event.seq < before);
    between.find(removes).map(|event| event.seq)
}
