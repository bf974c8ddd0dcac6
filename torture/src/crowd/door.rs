//! People come and go: one after the other is removed by the owner of a room or leaves it. That they
//! come again is their own business, but for those who would not notice.

use std::{sync::Arc, time::Duration};

use client::Random;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use super::{
    Manner,
    board::{Board, Phase, Signal},
    person::{Person, Room},
};
use crate::{chance::Chance as _, diary::Diary};

/// Of one person's messages there are this many for one of all people's removals.
const RARER: u32 = 1;
const MOST: Duration = Duration::from_secs(5);
/// Whoever was removed has noticed and come again after so long, or never will.
const RETURN: Duration = Duration::from_secs(20);

/// Goes on until nobody writes any more.
pub(super) async fn keep(
    people: Vec<Arc<Person>>,
    rooms: Vec<Room>,
    random: Random,
    mut signal: watch::Receiver<Signal>,
    board: Arc<Board>,
    pace: Duration,
) -> Diary {
    let mut going = JoinSet::new();
    let mut diary = Diary::default();
    board.unsettle();
    loop {
        let pause = random.up_to((pace * RARER * 2).min(MOST));
        let quiet = signal.wait_for(|now| now.phase > Phase::Busy);
        if timeout(pause, quiet).await.is_ok() {
            break;
        }
        let Some(room) = random.pick(&rooms) else {
            continue;
        };
        let others = room.members.iter().filter(|member| **member != room.owner);
        let others: Vec<_> = others.collect();
        if let Some(member) = random.pick(&others) {
            let (owner, member) = (&people[room.owner], &people[**member]);
            let by = random.percent(50).then(|| Arc::clone(owner));
            going.spawn(go(by, Arc::clone(member), room.clone()));
        }
        while let Some(theirs) = going.try_join_next() {
            diary.extend(Result::expect(theirs, "no client panics"));
        }
    }
    while let Some(theirs) = going.join_next().await {
        diary.extend(theirs.expect("no client panics"));
    }
    board.settle();
    diary
}

/// Somebody leaves, or is removed by the owner, and comes again.
async fn go(owner: Option<Arc<Person>>, member: Arc<Person>, room: Room) -> Diary {
    let mut diary = Diary::default();
    let back = member.board.next_return(member.number, room.id);
    let gone = match owner {
        Some(owner) => owner.session.kick(room.id, member.session.user()).await,
        None => member.session.leave(room.id).await,
    };
    // While something is broken this may fail, and then nobody goes.
    if gone.is_err() {
        return diary;
    }
    if Manner::of(member.number) == Manner::Plain {
        member.comes_again(room.id, &mut diary).await;
    } else if timeout(RETURN, back).await.is_err() {
        let why = "they were removed and did not notice";
        member.failed(&mut diary, "return", &why);
    }
    diary
}
