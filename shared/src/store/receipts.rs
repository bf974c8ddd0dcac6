//! Who has read how far, as others see it. The marks themselves are `reads`.

use protocol::{
    RoomId, Seq, UserId,
    accounts::UserSummary,
    marks::{FindReceipts, Receipt, ReceiptList},
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Result, Store, columns::At, cursor, pool::on};

impl Store {
    /// Who has read a room up to a place, but for those who hide it.
    ///
    /// # Errors
    /// As [`Store::access`], and `validation_failed` for a cursor that no page ended with.
    pub async fn receipts(
        &self,
        room: RoomId,
        viewer: UserId,
        find: &FindReceipts,
    ) -> Result<ReceiptList> {
        let after: Option<Cursor> = find.page.cursor.as_deref().map(cursor::read).transpose()?;
        let mut rows: Vec<ReceiptRow> = on!(self.reader(), pool => sqlx::query_as(
            "select u.id, u.username, u.display_name, m.read_seq, m.read_at
             from members m join users u on u.id = m.user_id
             where m.room_id = $1 and m.read_seq >= $2 and u.shows_reads and ($3 is null or m.user_id > $3)
                and exists (
                    select 1 from members v join rooms r on r.id = v.room_id
                    where v.room_id = $1 and v.user_id = $5 and r.deleted_at is null
                )
             order by m.user_id limit $4",
        )
        .bind(room.uuid())
        .bind(find.seq.to_i64())
        .bind(after.map(|after| after.user))
        .bind(i64::from(find.page.limit) + 1)
        .bind(viewer.uuid())
        .fetch_all(pool))?;
        if rows.is_empty() {
            // Nobody has read so far, or the viewer may not see who has.
            self.access(room, viewer).await?;
        }
        let next_cursor = cursor::page(&mut rows, find.page.limit, |row| Cursor { user: row.id });
        Ok(ReceiptList {
            receipts: rows.into_iter().map(ReceiptRow::receipt).collect(),
            next_cursor,
        })
    }

    /// Whether others see how far somebody has read.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn shows_reads(&self, user: UserId) -> Result<bool> {
        let shows: Option<bool> = on!(self.reader(), pool => sqlx::query_scalar(
            "select shows_reads from users where id = $1",
        ).bind(user.uuid()).fetch_optional(pool))?;
        Ok(shows.unwrap_or(false))
    }
}

/// Where a page of receipts ended.
#[derive(serde::Serialize, serde::Deserialize)]
struct Cursor {
    user: Uuid,
}

#[derive(FromRow)]
struct ReceiptRow {
    id: Uuid,
    username: String,
    display_name: String,
    read_seq: i64,
    read_at: At,
}

impl ReceiptRow {
    fn receipt(self) -> Receipt {
        Receipt {
            user: UserSummary {
                id: UserId::from_uuid(self.id),
                username: self.username,
                display_name: self.display_name,
            },
            seq: Seq::from_i64(self.read_seq),
            at: self.read_at.0,
        }
    }
}
