//! Who delivers a webhook, and how far it has come. Whoever takes one has it for some seconds, by the
//! database's clock, and keeps it by saying so again; what they say after that changes nothing.

use std::{collections::BTreeSet, time::Duration};

use protocol::{RoomId, Seq, WebhookId};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    pool::{execute, on},
    webhooks::kinds,
};

/// A webhook that was taken, to be delivered.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The webhook.
    pub webhook: WebhookId,
    /// Proves that it was taken.
    pub pass: Uuid,
    /// Where events are posted.
    pub url: String,
    /// Which kinds; all if there is none.
    pub kinds: BTreeSet<String>,
    /// What posts are signed with, sealed.
    pub secret: Vec<u8>,
    /// Attempts that failed since the last that did not.
    pub failures: u32,
}

/// A room in which there is something to deliver.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// The room.
    pub room: RoomId,
    /// The last event that was taken, or passed over.
    pub taken: Seq,
    /// The lowest place that the webhook's maker may read.
    pub first: Seq,
    /// The room's latest event.
    pub head: Seq,
}

/// What was taken at the other end, or passed over.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The room.
    pub room: RoomId,
    /// Where it stood.
    pub from: Seq,
    /// Where it stands now.
    pub to: Seq,
    /// Whether anything was posted for it.
    pub was_posted: bool,
}

#[derive(FromRow)]
struct LeaseRow {
    id: Uuid,
    url: String,
    kinds: String,
    secret: Vec<u8>,
    failures: i64,
}

#[derive(FromRow)]
struct PendingRow {
    room_id: Uuid,
    seq: i64,
    first_seq: i64,
    head: i64,
}

impl Store {
    /// Takes webhooks that have something to deliver and that nobody else has, for `span`. Of a room whose admin
    /// their maker is no longer they have nothing.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn take_webhooks(&self, span: Duration, limit: u32) -> Result<Vec<Lease>> {
        let pass = Uuid::new_v4();
        let sql = self.writer().dialect(
            "update webhooks set lease = $1, leased_until = clock_timestamp() + $2 * interval '1 millisecond'
             where id in (
                select w.id from webhooks w join users u on u.id = w.user_id
                where w.disabled_at is null and u.suspended_at is null and u.erased_at is null
                    and (w.leased_until is null or w.leased_until <= clock_timestamp())
                    and (w.next_attempt_at is null or w.next_attempt_at <= clock_timestamp())
                    and exists (
                        select 1 from webhook_rooms x
                        join rooms r on r.id = x.room_id and r.deleted_at is null
                        join members m on m.room_id = x.room_id and m.user_id = w.user_id
                            and m.role in ('admin', 'owner')
                        where x.webhook_id = w.id and x.seq < r.head
                    )
                order by w.leased_until nulls first limit $3 for update of w skip locked
             )
             returning id, url, kinds, secret, failures",
            "update webhooks set lease = $1, leased_until = cast(unixepoch('subsec') * 1000 as integer) + $2
             where id in (
                select w.id from webhooks w join users u on u.id = w.user_id
                where w.disabled_at is null and u.suspended_at is null and u.erased_at is null
                    and (w.leased_until is null or w.leased_until <= cast(unixepoch('subsec') * 1000 as integer))
                    and (w.next_attempt_at is null
                        or w.next_attempt_at <= cast(unixepoch('subsec') * 1000 as integer))
                    and exists (
                        select 1 from webhook_rooms x
                        join rooms r on r.id = x.room_id and r.deleted_at is null
                        join members m on m.room_id = x.room_id and m.user_id = w.user_id
                            and m.role in ('admin', 'owner')
                        where x.webhook_id = w.id and x.seq < r.head
                    )
                order by w.leased_until nulls first limit $3
             )
             returning id, url, kinds, secret, failures",
        );
        let rows: Vec<LeaseRow> = on!(self.writer(), pool => sqlx::query_as(sql)
            .bind(pass)
            .bind(whole_ms(span))
            .bind(i64::from(limit))
            .fetch_all(pool))?;
        let lease = |row: LeaseRow| Lease {
            webhook: WebhookId::from_uuid(row.id),
            pass,
            url: row.url,
            kinds: kinds(&row.kinds).map(str::to_owned).collect(),
            secret: row.secret,
            failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
        };
        Ok(rows.into_iter().map(lease).collect())
    }

    /// The rooms in which a webhook has something to deliver.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn pending(&self, webhook: WebhookId) -> Result<Vec<Pending>> {
        let rows: Vec<PendingRow> = on!(self.reader(), pool => sqlx::query_as(
            "select x.room_id, x.seq, m.first_seq, r.head
             from webhooks w
             join webhook_rooms x on x.webhook_id = w.id
             join rooms r on r.id = x.room_id and r.deleted_at is null
             join members m on m.room_id = x.room_id and m.user_id = w.user_id and m.role in ('admin', 'owner')
             where w.id = $1 and w.disabled_at is null and x.seq < r.head
             order by x.room_id",
        )
        .bind(webhook.uuid())
        .fetch_all(pool))?;
        let pending = |row: PendingRow| Pending {
            room: RoomId::from_uuid(row.room_id),
            taken: Seq::from_i64(row.seq),
            first: Seq::from_i64(row.first_seq),
            head: Seq::from_i64(row.head),
        };
        Ok(rows.into_iter().map(pending).collect())
    }

    /// Keeps a webhook for another `span`; whether it was still held.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn keep_webhook(&self, lease: &Lease, span: Duration) -> Result<bool> {
        let sql = self.writer().dialect(
            "update webhooks set leased_until = clock_timestamp() + $3 * interval '1 millisecond'
             where id = $1 and lease = $2",
            "update webhooks set leased_until = cast(unixepoch('subsec') * 1000 as integer) + $3
             where id = $1 and lease = $2",
        );
        let kept = execute!(
            self.writer(),
            sqlx::query(sql)
                .bind(lease.webhook.uuid())
                .bind(lease.pass)
                .bind(whole_ms(span))
        )?;
        Ok(kept > 0)
    }

    /// Notes how far a webhook has come; whether it was still held. A place that was moved meanwhile stays where
    /// it was moved to.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn delivered(&self, lease: &Lease, step: &Step) -> Result<bool> {
        let mut tx = self.begin().await?;
        let sql = tx.connection().dialect(
            "update webhooks set
                failures = case when $3 then 0 else failures end,
                last_error = case when $3 then null else last_error end,
                failing_since = case when $3 then null else failing_since end,
                next_attempt_at = case when $3 then null else next_attempt_at end,
                delivered_at = case when $3 then clock_timestamp() else delivered_at end
             where id = $1 and lease = $2",
            "update webhooks set
                failures = case when $3 then 0 else failures end,
                last_error = case when $3 then null else last_error end,
                failing_since = case when $3 then null else failing_since end,
                next_attempt_at = case when $3 then null else next_attempt_at end,
                delivered_at = case when $3 then cast(unixepoch('subsec') * 1000 as integer)
                    else delivered_at end
             where id = $1 and lease = $2",
        );
        let held = execute!(
            tx.connection(),
            sqlx::query(sql)
                .bind(lease.webhook.uuid())
                .bind(lease.pass)
                .bind(step.was_posted)
        )?;
        if held == 0 {
            return Ok(false);
        }
        execute!(
            tx.connection(),
            sqlx::query(
                "update webhook_rooms set seq = $4 where webhook_id = $1 and room_id = $2 and seq = $3",
            )
            .bind(lease.webhook.uuid())
            .bind(step.room.uuid())
            .bind(step.from.to_i64())
            .bind(step.to.to_i64())
        )?;
        tx.commit().await?;
        Ok(true)
    }

    /// Notes that an attempt failed, and gives the webhook back until `again_after`. Once all have failed for
    /// `window` it is disabled; whether it is.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn failed(
        &self,
        lease: &Lease,
        why: &str,
        again_after: Duration,
        window: Duration,
    ) -> Result<bool> {
        let sql = self.writer().dialect(
            "update webhooks set failures = failures + 1, last_error = $3,
                failing_since = coalesce(failing_since, clock_timestamp()),
                disabled_at = case when failing_since <= clock_timestamp() - $5 * interval '1 millisecond'
                    then clock_timestamp() end,
                next_attempt_at = case when failing_since <= clock_timestamp() - $5 * interval '1 millisecond'
                    then null else clock_timestamp() + $4 * interval '1 millisecond' end,
                lease = null, leased_until = null
             where id = $1 and lease = $2 and disabled_at is null
             returning disabled_at is not null",
            "update webhooks set failures = failures + 1, last_error = $3,
                failing_since = coalesce(failing_since, cast(unixepoch('subsec') * 1000 as integer)),
                disabled_at = case when failing_since <= cast(unixepoch('subsec') * 1000 as integer) - $5
                    then cast(unixepoch('subsec') * 1000 as integer) end,
                next_attempt_at = case when failing_since <= cast(unixepoch('subsec') * 1000 as integer) - $5
                    then null else cast(unixepoch('subsec') * 1000 as integer) + $4 end,
                lease = null, leased_until = null
             where id = $1 and lease = $2 and disabled_at is null
             returning disabled_at is not null",
        );
        let disabled: Option<bool> = on!(self.writer(), pool => sqlx::query_scalar(sql)
            .bind(lease.webhook.uuid())
            .bind(lease.pass)
            .bind(why)
            .bind(whole_ms(again_after))
            .bind(whole_ms(window))
            .fetch_optional(pool))?;
        Ok(disabled.unwrap_or_default())
    }

    /// Gives a webhook back, for anybody to take.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn give_back(&self, lease: &Lease) -> Result<()> {
        execute!(
            self.writer(),
            sqlx::query(
                "update webhooks set lease = null, leased_until = null where id = $1 and lease = $2",
            )
            .bind(lease.webhook.uuid())
            .bind(lease.pass)
        )?;
        Ok(())
    }
}

fn whole_ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
