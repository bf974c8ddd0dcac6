//! Rooms themselves: made, read, changed and deleted. Finding them is `listing`, who is in them
//! `members`.

use protocol::{
    Act, ErrorCode, Role, RoomId, Timestamp, UserId,
    events::{Archived, Changed, Event, EventKind, RoomChanges},
    rooms::{ChangeRoom, CreateRoom, HistoryVisibility, Room, Visibility},
    text::{RoomName, Topic},
};

use super::{
    Error, Result, Store,
    change::RoomChange,
    columns::At,
    pool::{execute, on},
    room_row::{ListedRoom, refuse_stranger, select_rooms},
};

/// A room that is to be made.
#[derive(Clone, Debug)]
pub struct NewRoom {
    /// Its id.
    pub id: RoomId,
    /// What it is like.
    pub create: CreateRoom,
    /// The hash of the password in `create`.
    pub password_hash: Option<String>,
    /// Who makes it, and has it.
    pub owner: UserId,
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// Makes a room; its owner's joining is the first event.
    ///
    /// # Errors
    /// `name_taken` if a listed room has that name.
    pub async fn create_room(&self, new: &NewRoom) -> Result<Room> {
        let mut transaction = self.begin().await?;
        let NewRoom { create, at, .. } = new;
        let stored =
            execute!(transaction.connection(), sqlx::query(
            "insert into rooms (id, name, name_key, topic, visibility, password_hash, owner_id,
                max_members, history, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(new.id.uuid())
        .bind(create.name.as_str())
        .bind(create.name.key())
        .bind(create.topic.as_str())
        .bind(create.visibility.as_str())
        .bind(new.password_hash.as_deref())
        .bind(new.owner.uuid())
        .bind(i64::from(create.max_members))
        .bind(create.history.as_str())
        .bind(At(*at)));
        if let Err(error) = stored {
            drop(transaction);
            return Err(self.name_refused(error, new.owner, create.name.key()).await);
        }
        let mut change = RoomChange::within(transaction, new.id, new.owner, *at).await?;
        change.admit(Role::Owner).await?;
        let room = change.commit().await?;
        Ok(room.room(Some((Role::Owner, 0))))
    }

    /// A room, for its members; a public one for everybody.
    ///
    /// # Errors
    /// For strangers `not_a_member` of a private room, `room_not_found` of a secret one.
    pub async fn room(&self, room: RoomId, viewer: UserId) -> Result<Room> {
        let row: Option<ListedRoom> = on!(self.reader(), pool => sqlx::query_as(
            select_rooms!("where r.id = $2 and r.deleted_at is null"),
        ).bind(viewer.uuid()).bind(room.uuid()).fetch_optional(pool))?;
        let row = row.ok_or(ErrorCode::RoomNotFound)?;
        let visibility = row.room.visibility();
        if row.role.is_none() && visibility != Visibility::Public {
            return Err(refuse_stranger(visibility).into());
        }
        Ok(row.room())
    }

    /// Changes a room. What is as it was already makes no event.
    ///
    /// # Errors
    /// `forbidden`, `name_taken`, `archived`, or `validation_failed` for what does not go together
    /// with what the room is: a password for a room that is not private, less room than members.
    pub async fn change_room(
        &self,
        room: RoomId,
        by: UserId,
        wish: &ChangeRoom,
        password_hash: Option<String>,
        at: Timestamp,
    ) -> Result<(Room, Vec<Event>)> {
        let mut change = self.change(room, by, at).await?;
        let role = change.role()?;
        if acts_of(wish).iter().any(|act| !role.may(*act)) {
            return Err(ErrorCode::Forbidden.into());
        }
        let mut events = Vec::new();
        if wish.archived == Some(false) && change.room.is_archived() {
            events.push(change.set_archived(None).await?);
        }
        let changes = change.room.changes(wish)?;
        if changes != RoomChanges::default() || matches!(wish.password, Some(Some(_))) {
            change.must_be_writable()?;
            if let Err(error) = change.rewrite(wish, password_hash).await {
                drop(change);
                let name = wish.name.as_ref().map(RoomName::key);
                return Err(self.name_refused(error, by, name.unwrap_or_default()).await);
            }
            events.push(change.write(EventKind::Room(Changed { changes })).await?);
        }
        if wish.archived == Some(true) && !change.room.is_archived() {
            events.push(change.set_archived(Some(at)).await?);
        }
        let room = change.commit().await?;
        Ok((self.room(room.id(), by).await?, events))
    }

    /// Says whose it is if what failed is that another room has the name.
    async fn name_refused(&self, error: Error, by: UserId, name_key: &str) -> Error {
        let error = error.or_taken("name_key", ErrorCode::NameTaken);
        let Error::Refused(refusal) = &error else {
            return error;
        };
        if refusal.code == ErrorCode::NameTaken
            && self.keeps_name(by, name_key).await.unwrap_or_default()
        {
            return ErrorCode::NameKept.into();
        }
        error
    }
}

impl RoomChange {
    /// Writes what `wish` says into the room's row.
    async fn rewrite(&mut self, wish: &ChangeRoom, password_hash: Option<String>) -> Result<()> {
        let room = &mut self.room;
        if let Some(password) = &wish.password {
            room.password_hash = password.as_ref().and(password_hash);
        }
        // Only a private room has a door with a lock.
        if wish
            .visibility
            .is_some_and(|visibility| visibility != Visibility::Private)
        {
            room.password_hash = None;
        }
        let stored = execute!(
            self.transaction.connection(),
            sqlx::query(
                "update rooms set
                name = coalesce($2, name), name_key = coalesce($3, name_key),
                topic = coalesce($4, topic), visibility = coalesce($5, visibility),
                password_hash = $6, max_members = coalesce($7, max_members),
                history = coalesce($8, history), slow_mode_s = coalesce($9, slow_mode_s)
             where id = $1",
            )
            .bind(room.id)
            .bind(wish.name.as_ref().map(RoomName::as_str))
            .bind(wish.name.as_ref().map(RoomName::key))
            .bind(wish.topic.as_ref().map(Topic::as_str))
            .bind(wish.visibility.map(Visibility::as_str))
            .bind(room.password_hash.as_deref())
            .bind(wish.max_members.map(i64::from))
            .bind(wish.history.map(HistoryVisibility::as_str))
            .bind(wish.slow_mode_s.map(i64::from))
        );
        stored?;
        Ok(())
    }

    pub(super) async fn set_archived(&mut self, since: Option<Timestamp>) -> Result<Event> {
        self.room.archived_at = since.map(At);
        execute!(
            self.transaction.connection(),
            sqlx::query("update rooms set archived_at = $2 where id = $1",)
                .bind(self.room.id)
                .bind(self.room.archived_at)
        )?;
        self.write(EventKind::Archive(Archived {
            archived: since.is_some(),
        }))
        .await
    }
}

/// What one must be allowed to do for all of `wish`.
fn acts_of(wish: &ChangeRoom) -> Vec<Act> {
    let ChangeRoom {
        name,
        topic,
        visibility,
        password,
        max_members,
        history,
        archived,
        slow_mode_s,
    } = wish;
    let changes_room = name.is_some()
        || topic.is_some()
        || visibility.is_some()
        || password.is_some()
        || max_members.is_some()
        || history.is_some();
    let acts = [
        (changes_room, Act::ChangeRoom),
        (slow_mode_s.is_some(), Act::SlowMode),
        (archived.is_some(), Act::Archive),
    ];
    acts.into_iter()
        .filter_map(|(wanted, act)| wanted.then_some(act))
        .collect()
}
