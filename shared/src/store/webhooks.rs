//! Webhooks: where events of rooms are to be posted, and how far that has come. Delivering is
//! `deliveries`.

use std::collections::{BTreeSet, HashSet};

use protocol::{
    Act, ErrorCode, RoomId, Seq, Timestamp, UserId, WebhookId,
    webhooks::{Replay, Webhook, WebhookRoom, WebhookState},
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    columns::At,
    pool::{Tx, execute, on},
};

/// A webhook to be made.
#[derive(Clone, Debug)]
pub struct NewWebhookRow {
    /// Its id.
    pub id: WebhookId,
    /// Who makes it.
    pub user: UserId,
    /// Where events are posted.
    pub url: String,
    /// Which kinds; all if there is none.
    pub kinds: BTreeSet<String>,
    /// What posts are signed with, sealed.
    pub secret: Vec<u8>,
    /// Of which rooms.
    pub rooms: BTreeSet<RoomId>,
    /// When.
    pub at: Timestamp,
}

/// What of a webhook is changed; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct WebhookChanges {
    /// Where events are posted.
    pub url: Option<String>,
    /// Which kinds.
    pub kinds: Option<BTreeSet<String>>,
    /// What posts are signed with, sealed.
    pub secret: Option<Vec<u8>>,
    /// Of which rooms.
    pub rooms: Option<BTreeSet<RoomId>>,
    /// Whether it delivers.
    pub enabled: Option<bool>,
}

/// Which webhooks are looked for.
#[derive(Clone, Copy, Debug)]
pub enum Webhooks {
    /// This one.
    One(WebhookId),
    /// Those that this person made.
    Of(UserId),
    /// Those of this room, without their other rooms.
    In(RoomId),
}

/// How many webhooks one person may have.
const WEBHOOKS_MAX: i64 = 50;

#[derive(FromRow)]
struct WebhookRow {
    id: Uuid,
    user_id: Uuid,
    url: String,
    kinds: String,
    created_at: At,
    failures: i64,
    last_error: Option<String>,
    failing_since: Option<At>,
    next_attempt_at: Option<At>,
    disabled_at: Option<At>,
    delivered_at: Option<At>,
    room_id: Option<Uuid>,
    seq: Option<i64>,
    head: Option<i64>,
}

impl WebhookRow {
    fn webhook(&self) -> Webhook {
        let state = match (self.disabled_at, self.failures) {
            (Some(_), _) => WebhookState::Disabled,
            (None, 0) => WebhookState::Active,
            (None, _) => WebhookState::Retrying,
        };
        Webhook {
            id: WebhookId::from_uuid(self.id),
            url: self.url.clone(),
            rooms: Vec::new(),
            kinds: kinds(&self.kinds).map(str::to_owned).collect(),
            user_id: UserId::from_uuid(self.user_id),
            enabled: state != WebhookState::Disabled,
            state,
            failures: u32::try_from(self.failures).unwrap_or(u32::MAX),
            last_error: self.last_error.clone(),
            failing_since: self.failing_since.map(Timestamp::from),
            next_attempt_at: self.next_attempt_at.map(Timestamp::from),
            disabled_at: self.disabled_at.map(Timestamp::from),
            delivered_at: self.delivered_at.map(Timestamp::from),
            created_at: self.created_at.into(),
        }
    }

    fn room(&self) -> Option<WebhookRoom> {
        Some(WebhookRoom {
            room: RoomId::from_uuid(self.room_id?),
            seq: Seq::from_i64(self.seq?),
            head: Seq::from_i64(self.head?),
        })
    }
}

impl Store {
    /// Makes a webhook, which begins with what happens next.
    ///
    /// # Errors
    /// `forbidden` unless its maker may arrange each of the rooms, `not_a_member`, `room_not_found`, or `conflict`
    /// if they have as many as one may have.
    pub async fn create_webhook(&self, new: &NewWebhookRow) -> Result<()> {
        self.must_arrange(&new.rooms, new.user).await?;
        let mut tx = self.begin().await?;
        let made = execute!(
            tx.connection(),
            sqlx::query(
                "insert into webhooks (id, user_id, url, kinds, secret, created_at)
                 select $1, $2, $3, $4, $5, $6
                 where (select count(*) from webhooks where user_id = $2) < $7",
            )
            .bind(new.id.uuid())
            .bind(new.user.uuid())
            .bind(&new.url)
            .bind(words(&new.kinds))
            .bind(&new.secret)
            .bind(At(new.at))
            .bind(WEBHOOKS_MAX)
        )?;
        if made == 0 {
            return Err(ErrorCode::Conflict.into());
        }
        take_rooms(&mut tx, new.id, &new.rooms).await?;
        tx.commit().await
    }

    /// Webhooks, the newest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn webhooks(&self, which: Webhooks) -> Result<Vec<Webhook>> {
        let (one, user, room) = match which {
            Webhooks::One(id) => (Some(id.uuid()), None, None),
            Webhooks::Of(user) => (None, Some(user.uuid()), None),
            Webhooks::In(room) => (None, None, Some(room.uuid())),
        };
        let rows: Vec<WebhookRow> = on!(self.reader(), pool => sqlx::query_as(
            "select w.id, w.user_id, w.url, w.kinds, w.created_at, w.failures, w.last_error, w.failing_since,
                w.next_attempt_at, w.disabled_at, w.delivered_at, x.room_id, x.seq, r.head
             from webhooks w
             left join webhook_rooms x on x.webhook_id = w.id
             left join rooms r on r.id = x.room_id
             where ($1 is null or w.id = $1) and ($2 is null or w.user_id = $2)
                and ($3 is null or x.room_id = $3)
             order by w.id desc, x.room_id",
        )
        .bind(one)
        .bind(user)
        .bind(room)
        .fetch_all(pool))?;
        let mut webhooks: Vec<Webhook> = Vec::new();
        for row in rows {
            if webhooks.last().is_none_or(|last| last.id.uuid() != row.id) {
                webhooks.push(row.webhook());
            }
            if let (Some(last), Some(room)) = (webhooks.last_mut(), row.room()) {
                last.rooms.push(room);
            }
        }
        Ok(webhooks)
    }

    /// One webhook.
    ///
    /// # Errors
    /// `webhook_not_found`.
    pub async fn webhook(&self, id: WebhookId) -> Result<Webhook> {
        let found = self.webhooks(Webhooks::One(id)).await?.pop();
        found.ok_or_else(|| ErrorCode::WebhookNotFound.into())
    }

    /// Changes a webhook. One that is enabled, or leads elsewhere, begins to count its failures anew, and goes on
    /// where it stood.
    ///
    /// # Errors
    /// `webhook_not_found`, and for new rooms as [`Store::create_webhook`].
    pub async fn change_webhook(
        &self,
        id: WebhookId,
        maker: UserId,
        changes: &WebhookChanges,
        at: Timestamp,
    ) -> Result<()> {
        if let Some(rooms) = &changes.rooms {
            self.must_arrange(rooms, maker).await?;
        }
        let mut tx = self.begin().await?;
        let begins_anew = changes.enabled == Some(true) || changes.url.is_some();
        let changed = execute!(
            tx.connection(),
            sqlx::query(
                "update webhooks set
                    url = coalesce($2, url), kinds = coalesce($3, kinds), secret = coalesce($4, secret),
                    failures = case when $5 then 0 else failures end,
                    last_error = case when $5 then null else last_error end,
                    failing_since = case when $5 then null else failing_since end,
                    next_attempt_at = case when $5 then null else next_attempt_at end,
                    disabled_at = case when $6 then null when $7 then coalesce(disabled_at, $8)
                        else disabled_at end
                 where id = $1",
            )
            .bind(id.uuid())
            .bind(changes.url.as_deref())
            .bind(changes.kinds.as_ref().map(words))
            .bind(changes.secret.as_deref())
            .bind(begins_anew)
            .bind(changes.enabled == Some(true))
            .bind(changes.enabled == Some(false))
            .bind(At(at))
        )?;
        if changed == 0 {
            return Err(ErrorCode::WebhookNotFound.into());
        }
        if let Some(rooms) = &changes.rooms {
            keep_rooms(&mut tx, id, rooms).await?;
            take_rooms(&mut tx, id, rooms).await?;
        }
        tx.commit().await
    }

    /// Removes a webhook.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn delete_webhook(&self, id: WebhookId) -> Result<()> {
        execute!(
            self.writer(),
            sqlx::query("delete from webhooks where id = $1").bind(id.uuid())
        )?;
        Ok(())
    }

    /// Lets a webhook deliver a room from another place on, at the furthest from what happens next.
    ///
    /// # Errors
    /// `room_not_found` if the room is none of its.
    pub async fn replay(&self, id: WebhookId, replay: &Replay) -> Result<()> {
        let moved = execute!(
            self.writer(),
            sqlx::query(
                "update webhook_rooms set seq = (
                    select case when $3 < r.head then $3 else r.head end from rooms r where r.id = $2
                 )
                 where webhook_id = $1 and room_id = $2",
            )
            .bind(id.uuid())
            .bind(replay.room.uuid())
            .bind(replay.after.to_i64())
        )?;
        if moved == 0 {
            return Err(ErrorCode::RoomNotFound.into());
        }
        Ok(())
    }

    /// The rooms that some webhook is to be told of.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn rooms_with_webhooks(&self) -> Result<HashSet<RoomId>> {
        let rooms: Vec<Uuid> = on!(self.reader(), pool => sqlx::query_scalar(
            "select distinct x.room_id from webhook_rooms x
             join webhooks w on w.id = x.webhook_id and w.disabled_at is null",
        )
        .fetch_all(pool))?;
        Ok(rooms.into_iter().map(RoomId::from_uuid).collect())
    }

    async fn must_arrange(&self, rooms: &BTreeSet<RoomId>, user: UserId) -> Result<()> {
        for room in rooms {
            if !self.access(*room, user).await?.role.may(Act::ChangeRoom) {
                return Err(ErrorCode::Forbidden.into());
            }
        }
        Ok(())
    }
}

/// The words of a list of kinds.
pub(super) fn kinds(text: &str) -> impl Iterator<Item = &str> {
    text.split_ascii_whitespace()
}

fn words(kinds: &BTreeSet<String>) -> String {
    let words: Vec<_> = kinds.iter().map(String::as_str).collect();
    words.join(" ")
}

/// Rooms that it has already stay where they are.
async fn take_rooms(tx: &mut Tx, id: WebhookId, rooms: &BTreeSet<RoomId>) -> Result<()> {
    for room in rooms {
        execute!(
            tx.connection(),
            sqlx::query(
                "insert into webhook_rooms (webhook_id, room_id, seq)
                 select $1, r.id, r.head from rooms r where r.id = $2
                 on conflict (webhook_id, room_id) do nothing",
            )
            .bind(id.uuid())
            .bind(room.uuid())
        )?;
    }
    Ok(())
}

async fn keep_rooms(tx: &mut Tx, id: WebhookId, rooms: &BTreeSet<RoomId>) -> Result<()> {
    let known: Vec<Uuid> = on!(tx.connection(), connection => sqlx::query_scalar(
        "select room_id from webhook_rooms where webhook_id = $1",
    )
    .bind(id.uuid())
    .fetch_all(connection))?;
    for room in known {
        if !rooms.contains(&RoomId::from_uuid(room)) {
            execute!(
                tx.connection(),
                sqlx::query("delete from webhook_rooms where webhook_id = $1 and room_id = $2")
                    .bind(id.uuid())
                    .bind(room)
            )?;
        }
    }
    Ok(())
}
