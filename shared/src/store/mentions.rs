//! Whom a text calls that is given to a message later. Whom it calls when it is written, the append finds.

use protocol::{
    RoomId, Seq, UserId,
    mentions::{EVERYBODY, Mention, names},
    text::MessageBody,
};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::{
    Result,
    change::RoomChange,
    pool::{On, execute, within},
};

impl RoomChange {
    /// Notes whom the message at `seq`, of the one who makes the change, calls from now on, and answers it.
    pub(super) async fn call(&mut self, seq: Seq, body: &MessageBody) -> Result<Vec<Mention>> {
        let (room, by) = (self.room.id(), self.by.user());
        execute!(
            self.transaction.connection(),
            sqlx::query("delete from mentions where room_id = $1 and seq = $2")
                .bind(room.uuid())
                .bind(seq.to_i64())
        )?;
        let names = names(body.as_str());
        let calls_everybody = names.contains(EVERYBODY) && self.role()? != protocol::Role::Member;
        let called = if names.is_empty() {
            Vec::new()
        } else {
            self.members_called(names.into_iter().collect()).await?
        };
        let everybody = calls_everybody.then_some(room.uuid());
        for called in called.iter().map(|called| called.id).chain(everybody) {
            execute!(
                self.transaction.connection(),
                sqlx::query(
                    "insert into mentions (room_id, user_id, seq, by_id) values ($1, $2, $3, $4)"
                )
                .bind(room.uuid())
                .bind(called)
                .bind(seq.to_i64())
                .bind(by.uuid())
            )?;
        }
        let mentions = called.into_iter().map(|called| Mention {
            id: Some(UserId::from_uuid(called.id)),
            username: called.username,
        });
        let everybody = everybody.map(|_| Mention {
            id: None,
            username: EVERYBODY.to_owned(),
        });
        Ok(mentions.chain(everybody).collect())
    }

    /// The members of these names, but for the one who makes the change and those who block them.
    async fn members_called(&mut self, names: Vec<String>) -> Result<Vec<Called>> {
        let (room, by): (RoomId, UserId) = (self.room.id(), self.by.user());
        match self.transaction.connection() {
            On::Postgres(connection) => {
                within(
                    sqlx::query_as(
                        "select u.id, u.username
                         from users u join members m on m.room_id = $1 and m.user_id = u.id
                         where u.username = any ($3) and u.id <> $2
                            and not exists (select 1 from blocks b where b.user_id = u.id and b.blocked_id = $2)
                         order by u.username",
                    )
                    .bind(room.uuid())
                    .bind(by.uuid())
                    .bind(names)
                    .fetch_all(connection),
                )
                .await
            }
            On::Sqlite(connection) => {
                within(
                    sqlx::query_as(
                        "select u.id, u.username
                         from users u join members m on m.room_id = $1 and m.user_id = u.id
                         where u.username in (select value from json_each($3)) and u.id <> $2
                            and not exists (select 1 from blocks b where b.user_id = u.id and b.blocked_id = $2)
                         order by u.username",
                    )
                    .bind(room.uuid())
                    .bind(by.uuid())
                    .bind(Json(names))
                    .fetch_all(connection),
                )
                .await
            }
        }
    }
}

#[derive(FromRow)]
struct Called {
    id: Uuid,
    username: String,
}
