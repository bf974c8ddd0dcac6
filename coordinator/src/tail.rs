//! Notices what others wrote into the logs of the live rooms: by hints at once, and by a look at the
//! heads every second, since a hint may be lost. Rooms that another node speaks for are left to it. Reading it is each room's own.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use protocol::{RoomId, Seq};
use shared::{Refusal, hints::Hint};
use tokio::{
    sync::mpsc,
    time::{Duration, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{log::Log, rooms::Rooms};

const LOOKED_EVERY: Duration = Duration::from_secs(1);
/// How many heads one statement asks for.
const HEADS_AT_ONCE: usize = 5_000;
/// How many heads one look asks for. What a node spends on looking so has a bound however many rooms are live;
/// where there are more, they take turns, and a hint that is lost costs as many seconds more.
const HEADS_A_LOOK: usize = 2 * HEADS_AT_ONCE;

/// Passes hints on, until `cancel`.
pub(crate) async fn listen(
    rooms: Rooms,
    mut hints: mpsc::Receiver<Hint>,
    cancel: CancellationToken,
) {
    loop {
        // Ending comes first: hints may come without a pause.
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            hint = hints.recv() => match hint {
                Some(Hint { room, seq }) => rooms.look(room, seq),
                None => return,
            },
        }
    }
}

/// Looks at the heads, again and again until `cancel`.
pub(crate) async fn watch(rooms: Rooms, log: Arc<dyn Log>, cancel: CancellationToken) {
    let mut turn = None;
    let mut tick = interval(LOOKED_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_away = false;
    loop {
        // Ending comes first.
        let must_see_all = tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = rooms.nudged() => true,
            _ = tick.tick() => false,
        };
        if must_see_all {
            turn = None;
        }
        let looked = loop {
            let looked = look(&rooms, &*log, &mut turn).await;
            if looked.is_err() || !must_see_all || turn.is_none() {
                break looked;
            }
        };
        if let Err(error) = &looked
            && !is_away
        {
            warn!(%error, "the heads of rooms cannot be read");
        }
        is_away = looked.is_err();
    }
}

/// Looks at those whose turn it is; `turn` is the room after which the next look begins.
async fn look(rooms: &Rooms, log: &dyn Log, turn: &mut Option<RoomId>) -> Result<(), Refusal> {
    let delivered = rooms.heads(*turn, HEADS_A_LOOK);
    let is_round = delivered.len() < HEADS_A_LOOK;
    *turn = delivered
        .last()
        .filter(|_| !is_round)
        .map(|(room, _)| *room);
    for delivered in delivered.chunks(HEADS_AT_ONCE) {
        let moved = log.moved(delivered.to_vec()).await?;
        let delivered: BTreeMap<RoomId, Seq> = delivered.iter().copied().collect();
        for head in moved {
            if head.gone {
                rooms.gone(head.room);
                continue;
            }
            let delivered = delivered[&head.room];
            match head.seq.cmp(&delivered) {
                Ordering::Greater => rooms.look(head.room, head.seq),
                Ordering::Equal => {}
                // A log only grows: it is another one, of a database that was put back.
                Ordering::Less => rooms.went_back(head.room, delivered, head.seq),
            }
        }
    }
    Ok(())
}
