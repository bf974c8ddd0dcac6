//! Delivers webhooks: reads the log from where each stands and posts what is new to its url. Any process
//! that stays may do it: whoever takes a webhook has it for some seconds, and keeps it while there is work.
//! What was posted and not noted is posted again, so events come at least once.

mod post;

use std::{sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use bytes::Bytes;
use post::{Post, Poster};
use protocol::{EventId, RoomId, Seq, events::Event};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Clock, Settings,
    store::{self, Lease, Pending, Step, Store},
    token::Secrets,
    trust::Trust,
};

/// How long a webhook is held without a word: who was killed holds it no longer than this.
const HELD_FOR: Duration = Duration::from_secs(8);
/// How often its holder says that it still is.
const KEEP_EVERY: Duration = Duration::from_secs(2);
/// How often is looked for what nobody said, or somebody else left.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long nudges are not listened to after one was followed, so that a room where much is said costs few
/// questions.
const FOLLOW_AFTER: Duration = Duration::from_millis(20);
/// How many webhooks are delivered at once by one process.
const AT_ONCE: usize = 32;
/// Most events of one post, and about how large it is at most.
const BATCH_EVENTS: u32 = 100;
const BATCH_BYTES: usize = 256 * 1_024;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// What it takes to deliver.
pub struct Delivering {
    store: Store,
    clock: Clock,
    secrets: Secrets,
    poster: Poster,
    /// For how long failures are taken to pass.
    window: Duration,
}

/// How the work on one webhook ended.
enum Ended {
    /// There is nothing more to deliver.
    Done,
    /// It is tried again after this.
    Failed(Duration),
    /// Somebody else has it.
    Lost,
}

impl Delivering {
    /// With what the settings say.
    pub fn new(
        settings: &Settings,
        store: Store,
        clock: Clock,
        secrets: Secrets,
        trust: Trust,
    ) -> Self {
        Self {
            store,
            clock,
            secrets,
            poster: Poster::new(settings, trust),
            window: settings.webhook_retry,
        }
    }

    /// Delivers until `cancel`.
    pub async fn run(self, cancel: CancellationToken) {
        let delivering = Arc::new(self);
        let mut work: JoinSet<Ended> = JoinSet::new();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut retry_at: Option<Instant> = None;
        let mut listens_at = Instant::now();
        loop {
            let retry = async {
                match retry_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let nudged = async {
                sleep_until(listens_at).await;
                delivering.store.nudges().written().await;
            };
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                // Before the log was read for the last time something may have been written, and its nudge have
                // found the webhook taken.
                Some(ended) = work.join_next() => {
                    if let Ok(Ended::Failed(pause)) = ended {
                        let at = Instant::now() + pause;
                        retry_at = Some(retry_at.map_or(at, |earlier| earlier.min(at)));
                    }
                }
                () = retry => retry_at = None,
                () = nudged => listens_at = Instant::now() + FOLLOW_AFTER,
                _ = look.tick() => delivering.see_which_rooms().await,
            }
            let free = AT_ONCE.saturating_sub(work.len());
            for lease in delivering.take(free).await {
                let (delivering, cancel) = (Arc::clone(&delivering), cancel.clone());
                work.spawn(async move { delivering.hold(&lease, &cancel).await });
            }
        }
        // Each gives back what it has.
        while work.join_next().await.is_some() {}
    }

    async fn see_which_rooms(&self) {
        match self.store.rooms_with_webhooks().await {
            Ok(rooms) => self.store.nudges().wait_for(rooms),
            Err(error) => tracing::warn!(%error, "webhooks cannot be read"),
        }
    }

    async fn take(&self, limit: usize) -> Vec<Lease> {
        if limit == 0 || !self.store.nudges().is_waiting() {
            return Vec::new();
        }
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        match self.store.take_webhooks(HELD_FOR, limit).await {
            Ok(leases) => leases,
            Err(error) => {
                tracing::warn!(%error, "webhooks cannot be taken");
                Vec::new()
            }
        }
    }

    /// Works on a webhook for as long as it is ours, and gives it back.
    async fn hold(&self, lease: &Lease, cancel: &CancellationToken) -> Ended {
        let ended = tokio::select! {
            biased;
            () = cancel.cancelled() => Ok(Ended::Done),
            () = self.keep(lease) => Ok(Ended::Lost),
            ended = self.deliver(lease) => ended,
        };
        let ended = ended.unwrap_or_else(|error| {
            tracing::warn!(%error, webhook.id = %lease.webhook, "a webhook waits for the database");
            Ended::Failed(FIRST_PAUSE)
        });
        match ended {
            Ended::Lost => {
                tracing::warn!(webhook.id = %lease.webhook, "a webhook was held for too long without a word");
            }
            Ended::Done | Ended::Failed(_) => {
                // Who cannot give it back holds it until its time is over.
                let _ = self.store.give_back(lease).await;
            }
        }
        ended
    }

    /// Says that the webhook is still ours, until it is not.
    async fn keep(&self, lease: &Lease) {
        let mut held_until = Instant::now() + HELD_FOR;
        let mut tick = interval_at(Instant::now() + KEEP_EVERY, KEEP_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = sleep_until(held_until) => return,
                _ = tick.tick() => {}
            }
            let asked_at = Instant::now();
            let kept = tokio::select! {
                () = sleep_until(held_until) => return,
                kept = self.store.keep_webhook(lease, HELD_FOR) => kept,
            };
            match kept {
                Ok(true) => held_until = asked_at + HELD_FOR,
                Ok(false) => return,
                Err(error) => tracing::debug!(%error, "a webhook could not be kept yet"),
            }
        }
    }

    /// Delivers what there is, one batch of each room in turn.
    async fn deliver(&self, lease: &Lease) -> store::Result<Ended> {
        let secret = self.secrets.open(&lease.webhook.to_string(), &lease.secret);
        let Some(secret) = secret else {
            let why = "its secret cannot be read under this cluster secret: give it a new one";
            return self.fail(lease, lease.failures, why).await;
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let mut failures = lease.failures;
        loop {
            let pending = self.store.pending(lease.webhook).await?;
            if pending.is_empty() {
                return Ok(Ended::Done);
            }
            for room in pending {
                let batch = self.batch(lease, &room).await?;
                if let Some(body) = &batch.body {
                    let posted = self.poster.post(self.signed(lease, &key, body)).await;
                    let outcome = if posted.is_ok() { "taken" } else { "failed" };
                    metrics::counter!("chatx_webhook_posts_total", "outcome" => outcome)
                        .increment(1);
                    if let Err(error) = posted {
                        return self.fail(lease, failures, &error.to_string()).await;
                    }
                    failures = 0;
                }
                let step = Step {
                    room: room.room,
                    from: room.taken,
                    to: batch.to,
                    was_posted: batch.body.is_some(),
                };
                if !self.store.delivered(lease, &step).await? {
                    return Ok(Ended::Lost);
                }
            }
        }
    }

    /// The next events of a room that are wanted, as many as one post takes.
    async fn batch(&self, lease: &Lease, pending: &Pending) -> store::Result<Batch> {
        let after = pending.taken.max(pending.first.previous());
        let events = self
            .store
            .events_between(pending.room, after, pending.head, BATCH_EVENTS)
            .await?;
        let is_wanted =
            |event: &Event| lease.kinds.is_empty() || lease.kinds.contains(event.kind.as_str());
        let mut batch = Batch {
            to: if events.is_empty() {
                pending.head
            } else {
                after
            },
            body: None,
        };
        let mut texts: Vec<String> = Vec::new();
        let mut bytes = 0;
        for event in &events {
            if is_wanted(event) {
                let text = serde_json::to_string(event).expect("an event is always JSON");
                bytes += text.len();
                if bytes > BATCH_BYTES && !texts.is_empty() {
                    break;
                }
                texts.push(text);
            }
            batch.to = event.seq;
        }
        if !texts.is_empty() {
            batch.body = Some(body(lease, pending.room, &texts));
        }
        Ok(batch)
    }

    fn signed(&self, lease: &Lease, key: &hmac::Key, body: &Bytes) -> Post {
        let t = self.clock.now().unix_s();
        let mut mac = hmac::Context::with_key(key);
        mac.update(format!("{t}.").as_bytes());
        mac.update(body);
        let delivery: EventId = self.clock.id();
        Post {
            url: lease.url.clone(),
            webhook: lease.webhook.to_string(),
            delivery: delivery.to_string(),
            signature: format!("t={t},v1={}", hex(mac.sign().as_ref())),
            body: body.clone(),
        }
    }

    /// Notes that one more attempt failed, after so many in a row.
    async fn fail(&self, lease: &Lease, failures: u32, why: &str) -> store::Result<Ended> {
        let pause = pause(failures);
        if self.store.failed(lease, why, pause, self.window).await? {
            tracing::warn!(webhook.id = %lease.webhook, why, "a webhook is disabled: all attempts failed");
        } else {
            tracing::debug!(webhook.id = %lease.webhook, why, "a webhook is tried again");
        }
        Ok(Ended::Failed(pause))
    }
}

/// What one post brings, and where the room stands once it is taken.
struct Batch {
    to: Seq,
    body: Option<Bytes>,
}

fn body(lease: &Lease, room: RoomId, events: &[String]) -> Bytes {
    let (webhook, events) = (lease.webhook, events.join(","));
    format!(r#"{{"webhook":"{webhook}","room":"{room}","events":[{events}]}}"#).into()
}

/// How long to wait after so many failures and one more.
fn pause(failures: u32) -> Duration {
    2_u32
        .checked_pow(failures)
        .map_or(LONGEST_PAUSE, |times| FIRST_PAUSE.saturating_mul(times))
        .min(LONGEST_PAUSE)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour() {
        let pauses: Vec<_> = (0..4).map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8]);
        for many in [12, 31, 32, u32::MAX] {
            assert_eq!(pause(many), LONGEST_PAUSE);
        }
    }
}
