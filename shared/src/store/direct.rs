//! Conversations of named people: one room for each set of them, which is there as soon as one of them
//! wants it.

use std::collections::BTreeSet;

use protocol::{
    ErrorCode, Role, RoomId, Timestamp, UserId,
    events::Event,
    rooms::{HistoryVisibility, Room, Visibility},
};

use super::{
    Result, Store,
    change::RoomChange,
    columns::At,
    pool::{Tx, execute, on},
};

/// A conversation that somebody wants.
#[derive(Clone, Debug)]
pub struct NewDirect {
    /// The id of its room, if there is none yet.
    pub id: RoomId,
    /// Who wants it.
    pub by: UserId,
    /// Who is in it, the one who wants it among them.
    pub people: BTreeSet<UserId>,
    /// When.
    pub at: Timestamp,
}

/// A conversation, and what was done to have it.
#[derive(Clone, Debug)]
pub struct Direct {
    /// Its room.
    pub room: Room,
    /// Whether it was not there before.
    pub is_new: bool,
    /// Who came in, now or again.
    pub events: Vec<Event>,
}

impl Store {
    /// The conversation of these people. It is made if there is none; who left it is in it again.
    ///
    /// # Errors
    /// `user_not_found`, or `blocked` if the one who wants it blocks one of the others, or is blocked.
    pub async fn open_direct(&self, wish: &NewDirect) -> Result<Direct> {
        let mut transaction = self.begin().await?;
        for person in &wish.people {
            may_talk(&mut transaction, wish.by, *person).await?;
        }
        let people = key(&wish.people);
        let is_new = execute!(
            transaction.connection(),
            sqlx::query(
                "insert into conversations (people, room_id) values ($1, $2) on conflict (people) do nothing",
            )
            .bind(&people)
            .bind(wish.id.uuid())
        )? > 0;
        let room = if is_new {
            make(&mut transaction, wish).await?;
            wish.id
        } else {
            // Whoever was first has committed: this waited for them.
            let room = on!(transaction.connection(), connection => sqlx::query_scalar(
                "select room_id from conversations where people = $1",
            ).bind(&people).fetch_one(connection))?;
            RoomId::from_uuid(room)
        };
        let mut change = RoomChange::within(transaction, room, wish.by, wish.at).await?;
        let mut events = Vec::new();
        for person in &wish.people {
            let person = change.person(*person).await?;
            if person.role().is_none() {
                change.by = person;
                events.push(change.admit(Role::Member).await?);
            }
        }
        if !events.is_empty() {
            change.commit().await?;
        }
        Ok(Direct {
            room: self.room(room, wish.by).await?,
            is_new,
            events,
        })
    }
}

/// Refuses to bring together who keeps apart, or who is not there.
async fn may_talk(transaction: &mut Tx, by: UserId, person: UserId) -> Result<()> {
    let blocks: Option<i64> = on!(transaction.connection(), connection => sqlx::query_scalar(
        "select (
            select count(*) from blocks b
            where (b.user_id = $1 and b.blocked_id = $2) or (b.user_id = $2 and b.blocked_id = $1)
         )
         from users u where u.id = $2 and u.erased_at is null",
    ).bind(by.uuid()).bind(person.uuid()).fetch_optional(connection))?;
    match blocks {
        None => Err(ErrorCode::UserNotFound.into()),
        Some(0) => Ok(()),
        Some(_) => Err(ErrorCode::Blocked.into()),
    }
}

/// The room, with nobody in it yet.
async fn make(transaction: &mut Tx, wish: &NewDirect) -> Result<()> {
    let capacity = i64::try_from(wish.people.len()).unwrap_or(i64::MAX);
    execute!(
        transaction.connection(),
        sqlx::query(
            "insert into rooms (id, name, name_key, topic, visibility, max_members, history, created_at)
             values ($1, '', '', '', $2, $3, $4, $5)",
        )
        .bind(wish.id.uuid())
        .bind(Visibility::Direct.as_str())
        .bind(capacity)
        .bind(HistoryVisibility::All.as_str())
        .bind(At(wish.at))
    )?;
    Ok(())
}

/// What names a set of people.
fn key(people: &BTreeSet<UserId>) -> String {
    let ids: Vec<String> = people.iter().map(UserId::to_string).collect();
    ids.join(" ")
}

impl super::room_row::RoomRow {
    /// Whether it is a conversation of two people.
    pub(super) fn is_pair(&self) -> bool {
        self.visibility() == Visibility::Direct && self.max_members() == 2
    }
}
