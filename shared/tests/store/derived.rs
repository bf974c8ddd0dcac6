//! Whoever follows the log of a room knows what the store knows: whatever people do in whatever order, the
//! events lead to the same messages, reactions, pins, threads and counts as reading them back.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use protocol::{
    Role, RoomId, Seq, UserId,
    accounts::UserSummary,
    events::{Event, EventKind},
    marks::Reaction,
    mentions::Mention,
    messages::{History, Message, Span},
    rooms::ChangeMember,
};
use shared::store::{Append, Error, Result as Answer};

use crate::ground::{Ground, body, on_both_engines, react};

on_both_engines!(what_follows_from_the_log_is_what_is_stored);

const OPERATIONS: usize = 1_000;
const EMOJI: [&str; 4] = ["👍", "🍵", "❤️", "🇩🇪"];
const TEXTS: [&str; 5] = [
    "tea?",
    "@bob tea?",
    "@room @eve",
    "`@bob` @ada",
    "@eve @eve.",
];

async fn what_follows_from_the_log_is_what_is_stored(ground: Ground) -> Result<()> {
    let seed = std::env::var("CHATX_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let mut chance = Chance(seed.unwrap_or_else(|| {
        let random = ground.clock.id::<protocol::ids::OfRoom>().uuid();
        u64::from(random.as_fields().0) ^ u64::from_be_bytes(*random.as_fields().3)
    }));
    let seed = chance.0;
    let played = play(&ground, &mut chance).await;
    played.map_err(|error| error.context(format!("CHATX_TEST_SEED={seed}")))
}

async fn play(ground: &Ground, chance: &mut Chance) -> Result<()> {
    let people = ground.people(["ada", "bob", "eve"]).await?;
    let room = ground.room(&people[0], "Tea").await?.id;
    for person in &people[1..] {
        ground.join(room, person).await?;
    }
    let give = ChangeMember {
        role: Some(Role::Moderator),
        muted_until: None,
    };
    let at = ground.clock.now();
    ground
        .store
        .change_member(room, people[0].id, people[1].id, &give, at)
        .await?;

    let mut follower = Follower::default();
    for number in 0..OPERATIONS {
        let by = chance.of(&people).clone();
        match operate(ground, chance, room, &by, &follower).await {
            Ok(()) | Err(Error::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
        follower.follow(ground, room).await?;
        if number % 100 == 99 || number + 1 == OPERATIONS {
            follower.agrees_with(ground, room, &people).await?;
        }
    }
    // Who comes late reads everything at once.
    let mut late = Follower::default();
    late.follow(ground, room).await?;
    late.agrees_with(ground, room, &people).await
}

/// Does something, sensible or not.
async fn operate(
    ground: &Ground,
    chance: &mut Chance,
    room: RoomId,
    by: &UserSummary,
    follower: &Follower,
) -> Answer<()> {
    let (store, at) = (&ground.store, ground.clock.now());
    let seq = Seq(chance.below(follower.head.0 + 2));
    let recent = Seq(follower.head.0.saturating_sub(chance.below(30)));
    match chance.below(12) {
        0..=2 => {
            let name = ground.clock.id::<protocol::ids::OfEvent>().to_string();
            let entry = Append {
                body: body(chance.of::<&str>(&TEXTS)),
                thread: (chance.below(3) == 0).then_some(recent),
                reply_to: (chance.below(5) == 0).then_some(recent),
                ..ground.message(room, by.id, &name)
            };
            ground.append(entry).await.map(drop)
        }
        3 => {
            let text = body(chance.of::<&str>(&TEXTS));
            store.edit(room, by.id, recent, &text, at).await.map(drop)
        }
        4 => store.erase(room, by.id, recent, at).await.map(drop),
        5..=7 => {
            let react = react(recent, chance.of::<&str>(&EMOJI));
            store.react(room, by.id, &react, at).await.map(drop)
        }
        8 => {
            let react = react(recent, chance.of::<&str>(&EMOJI));
            store.unreact(room, by.id, &react, at).await.map(drop)
        }
        9 => store.pin(room, by.id, recent, at).await.map(drop),
        10 => store.unpin(room, by.id, recent, at).await.map(drop),
        _ => store.mark_read(room, by.id, seq, at).await.map(drop),
    }
}

/// What somebody knows of a room who follows its log.
#[derive(Default)]
struct Follower {
    head: Seq,
    messages: BTreeMap<Seq, Known>,
    /// How many messages there were at each place.
    counts: BTreeMap<Seq, u64>,
}

/// What is known of one message.
struct Known {
    by: UserId,
    body: String,
    is_deleted: bool,
    thread: Option<Seq>,
    mentions: Vec<Mention>,
    pinned: bool,
    /// Who reacted with what, in order.
    reactions: Vec<(String, UserId)>,
}

impl Follower {
    async fn follow(&mut self, ground: &Ground, room: RoomId) -> Result<()> {
        for event in ground.store.events(room, self.head, u32::MAX).await? {
            ensure!(
                event.seq == self.head.next(),
                "{} after {}",
                event.seq,
                self.head
            );
            self.head = event.seq;
            self.counts.insert(event.seq, event.n);
            self.take(event);
        }
        Ok(())
    }

    fn take(&mut self, event: Event) {
        let by = event.user.id;
        match event.kind {
            EventKind::Message(content) => {
                let known = Known {
                    by,
                    body: content.body,
                    is_deleted: false,
                    thread: content.thread,
                    mentions: content.mentions,
                    pinned: false,
                    reactions: Vec::new(),
                };
                self.messages.insert(event.seq, known);
            }
            EventKind::Edit(edited) => {
                let known = self.known(edited.target);
                known.body = edited.body;
                known.mentions = edited.mentions;
            }
            EventKind::Delete(target) => {
                let known = self.known(target.target);
                known.body.clear();
                known.mentions.clear();
                known.reactions.clear();
                (known.pinned, known.is_deleted) = (false, true);
            }
            EventKind::React(reacted) => {
                self.known(reacted.target)
                    .reactions
                    .push((reacted.emoji, by));
            }
            EventKind::Unreact(reacted) => {
                let gone = (reacted.emoji, by);
                self.known(reacted.target)
                    .reactions
                    .retain(|reaction| *reaction != gone);
            }
            EventKind::Pin(target) => self.known(target.target).pinned = true,
            EventKind::Unpin(target) => self.known(target.target).pinned = false,
            _ => {}
        }
    }

    fn known(&mut self, seq: Seq) -> &mut Known {
        self.messages
            .get_mut(&seq)
            .expect("an event is about a message before it")
    }

    /// Holds what is known against what each of the people reads.
    async fn agrees_with(
        &self,
        ground: &Ground,
        room: RoomId,
        people: &[UserSummary],
    ) -> Result<()> {
        for person in people {
            let history = History {
                span: Span::After(Seq::ZERO),
                limit: u32::MAX - 1,
                ..History::default()
            };
            let list = ground.store.history(room, person.id, &history).await?;
            ensure!(list.messages.len() == self.messages.len());
            for message in &list.messages {
                self.knows(message, person.id)?;
            }
            let mine = ground.store.my_rooms(person.id).await?.remove(0);
            let calls = |mention: &Mention| mention.id.is_none_or(|id| id == person.id);
            let unread = self.messages.range(mine.read.next()..);
            let called = unread
                .filter(|(_, known)| known.by != person.id && known.mentions.iter().any(calls))
                .count();
            ensure!(
                mine.mentions == called as u64,
                "{} calls, not {called}",
                mine.mentions
            );
            let n = |seq: Seq| self.counts.get(&seq).copied().unwrap_or_default();
            ensure!(mine.room.unread == Some(n(self.head) - n(mine.read)));
        }
        let pins = ground.store.pins(room, people[0].id).await?;
        let stored: BTreeSet<Seq> = pins.iter().map(|pin| pin.message.seq).collect();
        let known = self.messages.iter().filter(|(_, known)| known.pinned);
        ensure!(stored == known.map(|(seq, _)| *seq).collect());
        Ok(())
    }

    fn knows(&self, message: &Message, viewer: UserId) -> Result<()> {
        let known = &self.messages[&message.seq];
        let content = &message.content;
        let mut reactions: Vec<Reaction> = Vec::new();
        for (emoji, by) in &known.reactions {
            match reactions
                .iter_mut()
                .find(|reaction| reaction.emoji == *emoji)
            {
                Some(reaction) => {
                    reaction.count += 1;
                    reaction.me |= *by == viewer;
                }
                None => reactions.push(Reaction {
                    emoji: emoji.clone(),
                    count: 1,
                    me: *by == viewer,
                }),
            }
        }
        let replies = self
            .messages
            .values()
            .filter(|other| other.thread == Some(message.seq) && !other.is_deleted);
        ensure!(content.body == known.body, "the text of {}", message.seq);
        ensure!(
            content.reactions == reactions,
            "{:?}, not {reactions:?}",
            content.reactions
        );
        ensure!(content.mentions == known.mentions, "{:?}", content.mentions);
        ensure!(content.pinned == known.pinned, "the pin of {}", message.seq);
        ensure!(content.deleted_at.is_some() == known.is_deleted);
        ensure!(
            content.replies == replies.count() as u64,
            "the thread of {}",
            message.seq
        );
        Ok(())
    }
}

/// Numbers that follow from a seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(all.len() as u64)).unwrap_or_default();
        &all[index]
    }
}
