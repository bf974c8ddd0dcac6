//! Notices what others wrote into the logs of the live rooms: by hints at once, and by a look at all
//! heads every second, since a hint may be lost. Rooms that another node speaks for are left to it. Reading it is each room's own.

use std::{cmp::Ordering, sync::Arc};

use protocol::RoomId;
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

/// Looks at all heads, again and again until `cancel`.
pub(crate) async fn watch(rooms: Rooms, log: Arc<dyn Log>, cancel: CancellationToken) {
    let mut tick = interval(LOOKED_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_away = false;
    loop {
        // Ending comes first.
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = rooms.nudged() => {}
            _ = tick.tick() => {}
        }
        let looked = look(&rooms, &*log).await;
        if let Err(error) = &looked
            && !is_away
        {
            warn!(%error, "the heads of rooms cannot be read");
        }
        is_away = looked.is_err();
    }
}

async fn look(rooms: &Rooms, log: &dyn Log) -> Result<(), Refusal> {
    let delivered = rooms.heads();
    let ids: Vec<RoomId> = delivered.keys().copied().collect();
    for ids in ids.chunks(HEADS_AT_ONCE) {
        for head in log.heads(ids.to_vec()).await? {
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
