//! Bots: accounts of programs, which somebody made and answers for. They are users in everything else,
//! so what others see of them is `accounts`.

use protocol::{
    Act, ErrorCode, Role, RoomId, SessionId, Timestamp, UserId,
    accounts::ChangeProfile,
    bots::{Bot, BotList, FindBots},
    events::Event,
    rooms::Visibility,
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Joined, Result, Store,
    columns::At,
    invites::inviting_to,
    pool::{Tx, execute, on},
    room_row::refuse_stranger,
};

/// A bot to be made.
#[derive(Clone, Debug)]
pub struct NewBotAccount {
    /// Its id.
    pub id: UserId,
    /// Its unique name.
    pub username: String,
    /// What it is shown as.
    pub display_name: String,
    /// What it does.
    pub bio: String,
    /// Who makes it.
    pub owner: UserId,
    /// When.
    pub at: Timestamp,
}

/// How many bots one person may have.
const BOTS_MAX: i64 = 50;

#[derive(FromRow)]
struct BotRow {
    id: Uuid,
    username: String,
    display_name: String,
    bio: String,
    bot_owner_id: Uuid,
    created_at: At,
}

impl From<BotRow> for Bot {
    fn from(row: BotRow) -> Self {
        Self {
            id: UserId::from_uuid(row.id),
            username: row.username,
            display_name: row.display_name,
            bio: row.bio,
            owner_id: UserId::from_uuid(row.bot_owner_id),
            created_at: row.created_at.into(),
        }
    }
}

impl Store {
    /// Makes a bot.
    ///
    /// # Errors
    /// `username_taken`, or `conflict` if its owner has as many as one may have.
    pub async fn create_bot(&self, new: &NewBotAccount) -> Result<Bot> {
        let row: Option<BotRow> = on!(self.writer(), pool => sqlx::query_as(
            "insert into users
                (id, username, display_name, display_name_folded, bio, created_at, bot, bot_owner_id)
             select $1, $2, $3, $4, $5, $6, $7, $8
             where (select count(*) from users where bot_owner_id = $8 and erased_at is null) < $9
             returning id, username, display_name, bio, bot_owner_id, created_at",
        )
        .bind(new.id.uuid())
        .bind(&new.username)
        .bind(&new.display_name)
        .bind(new.display_name.to_lowercase())
        .bind(&new.bio)
        .bind(At(new.at))
        .bind(true)
        .bind(new.owner.uuid())
        .bind(BOTS_MAX)
        .fetch_optional(pool))
        .map_err(|error| error.or_taken("username", ErrorCode::UsernameTaken))?;
        Ok(row.ok_or(ErrorCode::Conflict)?.into())
    }

    /// A page of the bots of `owner`, or of everybody.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn bots(&self, owner: Option<UserId>, find: &FindBots) -> Result<BotList> {
        let mut rows: Vec<BotRow> = on!(self.reader(), pool => sqlx::query_as(
            "select id, username, display_name, bio, bot_owner_id, created_at from users
             where bot_owner_id is not null and ($1 is null or bot_owner_id = $1) and erased_at is null
                and ($2 is null or id < $2)
             order by id desc limit $3",
        )
        .bind(owner.map(UserId::uuid))
        .bind(find.cursor.map(UserId::uuid))
        .bind(i64::from(find.limit) + 1)
        .fetch_all(pool))?;
        let limit = usize::try_from(find.limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let bots: Vec<Bot> = rows.into_iter().map(Bot::from).collect();
        let next_cursor = bots.last().filter(|_| has_more).map(|bot| bot.id);
        Ok(BotList { bots, next_cursor })
    }

    /// One bot.
    ///
    /// # Errors
    /// `bot_not_found`.
    pub async fn bot(&self, bot: UserId) -> Result<Bot> {
        let row: Option<BotRow> = on!(self.reader(), pool => sqlx::query_as(
            "select id, username, display_name, bio, bot_owner_id, created_at from users
             where id = $1 and bot_owner_id is not null and erased_at is null",
        )
        .bind(bot.uuid())
        .fetch_optional(pool))?;
        Ok(row.ok_or(ErrorCode::BotNotFound)?.into())
    }

    /// Changes what a bot says about itself; what is `None` stays.
    ///
    /// # Errors
    /// `bot_not_found`.
    pub async fn change_bot(&self, bot: UserId, change: &ChangeProfile) -> Result<Bot> {
        self.bot(bot).await?;
        self.change_profile(bot, change).await?;
        self.bot(bot).await
    }

    /// Revokes the tokens of a bot, takes it out of its rooms, and closes its account for good. Done
    /// again after it was cut off, it does the rest.
    ///
    /// # Errors
    /// `last_owner` if it has a room, and then nothing is done; `bot_not_found`.
    pub async fn delete_bot(
        &self,
        bot: UserId,
        at: Timestamp,
    ) -> Result<(Vec<SessionId>, Vec<Event>)> {
        let rooms: Vec<(Uuid, String)> = on!(self.reader(), pool => sqlx::query_as(
            "select m.room_id, m.role from members m
             join rooms r on r.id = m.room_id and r.deleted_at is null
             where m.user_id = $1",
        )
        .bind(bot.uuid())
        .fetch_all(pool))?;
        if rooms.iter().any(|(_, role)| role == Role::Owner.as_str()) {
            return Err(ErrorCode::LastOwner.into());
        }
        // Without its tokens it goes nowhere while it is taken out.
        let revoked = self.revoke_tokens(bot, at).await?;
        let mut events = Vec::new();
        for (room, _) in rooms {
            let room = RoomId::from_uuid(room);
            match self.leave(room, bot, at).await {
                Ok(event) => events.push(event),
                // Somebody was faster, or deleted the room.
                Err(super::Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let mut tx = self.begin().await?;
        close_account(&mut tx, bot, at).await?;
        tx.commit().await?;
        Ok((revoked, events))
    }

    /// Lets `bot` into a room because `by` says so: a moderator, or its owner where they may invite.
    ///
    /// # Errors
    /// `forbidden`, `banned`, `room_full`, `archived`, `bot_not_found`, `not_a_member`, `room_not_found`.
    pub async fn add_bot(
        &self,
        room: RoomId,
        by: UserId,
        bot: UserId,
        at: Timestamp,
    ) -> Result<Joined> {
        let owner = self.bot(bot).await?.owner_id;
        let mut change = self.change(room, bot, at).await?;
        let visibility = change.room.visibility();
        let role = change
            .person(by)
            .await?
            .role()
            .ok_or_else(|| refuse_stranger(visibility))?;
        let may_add =
            role.may(Act::InviteToAny) || (owner == by && role.may(inviting_to(visibility)));
        if visibility == Visibility::Direct || !may_add {
            return Err(ErrorCode::Forbidden.into());
        }
        if let Some(member) = change.by.member(room) {
            return Ok(Joined {
                member,
                event: None,
            });
        }
        change.admit_newcomer(bot).await
    }
}

/// Closes an account that nobody can use any more.
pub(super) async fn close_account(tx: &mut Tx, user: UserId, at: Timestamp) -> Result<()> {
    execute!(
        tx.connection(),
        sqlx::query("update users set erased_at = $2 where id = $1 and erased_at is null")
            .bind(user.uuid())
            .bind(At(at))
    )?;
    Ok(())
}
