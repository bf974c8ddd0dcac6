//! Whom people keep out of their conversations.

use protocol::{ErrorCode, Timestamp, UserId, accounts::UserSummary, direct::Block};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    change::RoomChange,
    columns::At,
    pool::{Tx, execute, on},
};

impl Store {
    /// Blocks somebody. Who is blocked already stays so since then.
    ///
    /// # Errors
    /// `user_not_found`, or `conflict` for oneself.
    pub async fn block(&self, user: UserId, blocked: UserId, at: Timestamp) -> Result<()> {
        if user == blocked {
            return Err(ErrorCode::Conflict.into());
        }
        let found = execute!(
            self.writer(),
            sqlx::query(
                "insert into blocks (user_id, blocked_id, at)
                 select $1, id, $3 from users where id = $2
                 on conflict (user_id, blocked_id) do update set at = blocks.at",
            )
            .bind(user.uuid())
            .bind(blocked.uuid())
            .bind(At(at))
        )?;
        if found == 0 {
            return Err(ErrorCode::UserNotFound.into());
        }
        Ok(())
    }

    /// Blocks somebody no longer.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn unblock(&self, user: UserId, blocked: UserId) -> Result<()> {
        execute!(
            self.writer(),
            sqlx::query("delete from blocks where user_id = $1 and blocked_id = $2")
                .bind(user.uuid())
                .bind(blocked.uuid())
        )?;
        Ok(())
    }

    /// Whom `user` blocks, the latest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn blocks(&self, user: UserId) -> Result<Vec<Block>> {
        let rows: Vec<BlockRow> = on!(self.reader(), pool => sqlx::query_as(
            "select u.id, u.username, u.display_name, b.at
             from blocks b join users u on u.id = b.blocked_id
             where b.user_id = $1 order by b.at desc, u.id desc",
        ).bind(user.uuid()).fetch_all(pool))?;
        Ok(rows.into_iter().map(BlockRow::block).collect())
    }
}

impl RoomChange {
    /// Refuses what would add something that others see: in an archived room, by who is muted, or in a
    /// conversation of two of whom one blocks the other.
    pub(super) async fn may_speak(&mut self) -> Result<()> {
        self.must_be_writable()?;
        let by = self.by.user();
        if self.room.is_pair() && is_kept_out(&mut self.transaction, self.room.id, by).await? {
            return Err(ErrorCode::Blocked.into());
        }
        if self.by.is_muted(self.at) {
            return Err(ErrorCode::Muted.into());
        }
        Ok(())
    }
}

/// Whether in a room somebody blocks `user`, or is blocked by them.
async fn is_kept_out(transaction: &mut Tx, room: Uuid, user: UserId) -> Result<bool> {
    let blocks: i64 = on!(transaction.connection(), connection => sqlx::query_scalar(
        "select count(*)
         from members o join blocks b
            on (b.user_id = o.user_id and b.blocked_id = $2) or (b.user_id = $2 and b.blocked_id = o.user_id)
         where o.room_id = $1",
    ).bind(room).bind(user.uuid()).fetch_one(connection))?;
    Ok(blocks > 0)
}

#[derive(FromRow)]
struct BlockRow {
    id: Uuid,
    username: String,
    display_name: String,
    at: At,
}

impl BlockRow {
    fn block(self) -> Block {
        Block {
            user: UserSummary {
                id: UserId::from_uuid(self.id),
                username: self.username,
                display_name: self.display_name,
            },
            at: self.at.0,
        }
    }
}
