//! Rooms themselves: made, found, read, changed and deleted. Who is in them is `members`.

use protocol::{
    Act, ErrorCode, Fields, Role, RoomId, Seq, Timestamp, UserId, Violation,
    events::{Archived, Changed, Event, EventKind, RoomChanges},
    rooms::{
        ChangeRoom, CreateRoom, FindRooms, HistoryVisibility, MyRoom, Room, RoomList, RoomSort,
        Visibility,
    },
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    change::RoomChange,
    columns::{At, Word},
    cursor,
    events::{EventRow, count, select_events},
    pool::{execute, on},
};
use crate::Refusal;

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

/// Selects rooms with what `$1` is in them; what follows is given.
macro_rules! select_rooms {
    ($tail:literal) => {
        concat!(
            "select r.id, r.name, r.topic, r.visibility, r.password_hash, r.owner_id, r.max_members,
                r.history, r.slow_mode_s, r.head, r.messages, r.member_count, r.created_at, r.archived_at,
                r.name_key, m.role, m.read_seq, m.read_n
            from rooms r left join members m on m.room_id = r.id and m.user_id = $1 ",
            $tail
        )
    };
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
        stored.map_err(|error| error.or_taken("name_key", ErrorCode::NameTaken))?;
        let mut change = RoomChange::within(transaction, new.id, new.owner, *at).await?;
        change.admit(Role::Owner).await?;
        let room = change.commit().await?;
        Ok(room.room(Some((Role::Owner, 0))))
    }

    /// A room as `viewer` may see it: all of it for members and of public rooms, its sign of private
    /// ones.
    ///
    /// # Errors
    /// `room_not_found` of secret rooms, for strangers.
    pub async fn room(&self, room: RoomId, viewer: UserId) -> Result<Room> {
        let row: Option<ListedRoom> = on!(self.reader(), pool => sqlx::query_as(
            select_rooms!("where r.id = $2 and r.deleted_at is null"),
        ).bind(viewer.uuid()).bind(room.uuid()).fetch_optional(pool))?;
        let row = row.ok_or(ErrorCode::RoomNotFound)?;
        if row.role.is_none() && !row.room.visibility().is_listed() {
            return Err(ErrorCode::RoomNotFound.into());
        }
        Ok(row.room())
    }

    /// The rooms that anybody can find.
    ///
    /// # Errors
    /// `validation_failed` for a cursor that no page ended with.
    pub async fn rooms(&self, viewer: UserId, find: &FindRooms) -> Result<RoomList> {
        let like = format!(
            "%{}%",
            find.query
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_")
        );
        let (count, id, key) = match &find.cursor {
            Some(text) => {
                let Cursor { count, id, key } = cursor::read(text)?;
                (Some(count), Some(id), Some(key))
            }
            None => (None, None, None),
        };
        let statement = match find.sort {
            RoomSort::Name => select_rooms!(
                r"where r.visibility in ('public', 'private') and r.deleted_at is null
                    and r.name_key like $2 escape '\' and ($5 is null or r.name_key > $5)
                order by r.name_key limit $6"
            ),
            RoomSort::Members => select_rooms!(
                r"where r.visibility in ('public', 'private') and r.deleted_at is null
                    and r.name_key like $2 escape '\'
                    and ($3 is null or r.member_count < $3 or (r.member_count = $3 and r.id < $4))
                order by r.member_count desc, r.id desc limit $6"
            ),
            RoomSort::Created => select_rooms!(
                r"where r.visibility in ('public', 'private') and r.deleted_at is null
                    and r.name_key like $2 escape '\' and ($4 is null or r.id < $4)
                order by r.id desc limit $6"
            ),
        };
        let mut rows: Vec<ListedRoom> = on!(self.reader(), pool => sqlx::query_as(statement)
            .bind(viewer.uuid())
            .bind(&like)
            .bind(count)
            .bind(id)
            .bind(key.as_deref())
            .bind(i64::from(find.limit) + 1)
            .fetch_all(pool))?;
        let next_cursor = cursor::page(&mut rows, find.limit, |row| Cursor {
            count: row.room.member_count,
            id: row.room.id,
            key: row.name_key.clone(),
        });
        Ok(RoomList {
            rooms: rows.iter().map(ListedRoom::room).collect(),
            next_cursor,
        })
    }

    /// The rooms of one person, each with its latest message.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn my_rooms(&self, user: UserId) -> Result<Vec<MyRoom>> {
        let rooms: Vec<ListedRoom> = on!(self.reader(), pool => sqlx::query_as(
            select_rooms!("where m.user_id = $1 and r.deleted_at is null order by r.name_key, r.id"),
        ).bind(user.uuid()).fetch_all(pool))?;
        let latest: Vec<EventRow> = on!(self.reader(), pool => sqlx::query_as(concat!(
            "with latest as materialized (
                select m.room_id, (
                    select max(x.seq) from events x
                    where x.room_id = m.room_id and x.kind = 'message' and x.seq >= m.first_seq
                ) as seq
                from members m where m.user_id = $1
            ) ",
            select_events!("join latest l on l.room_id = e.room_id and l.seq = e.seq"),
        )).bind(user.uuid()).fetch_all(pool))?;
        let mut latest = latest
            .into_iter()
            .map(|row| row.event().map(|event| (event.room, event)))
            .collect::<Result<std::collections::HashMap<RoomId, Event>>>()?;
        Ok(rooms
            .iter()
            .map(|row| MyRoom {
                read: Seq::from_i64(row.read_seq.unwrap_or(0)),
                last_message: latest.remove(&row.room.id()).and_then(Event::into_message),
                room: row.room(),
            })
            .collect())
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
            change.rewrite(wish, password_hash).await?;
            events.push(change.write(EventKind::Room(Changed { changes })).await?);
        }
        if wish.archived == Some(true) && !change.room.is_archived() {
            events.push(change.set_archived(Some(at)).await?);
        }
        let room = change.commit().await?;
        Ok((self.room(room.id(), by).await?, events))
    }

    /// Deletes a room for everybody. Its name is free for others.
    ///
    /// # Errors
    /// `forbidden`.
    pub async fn delete_room(&self, room: RoomId, by: UserId, at: Timestamp) -> Result<()> {
        let mut change = self.change_as(room, by, Act::DeleteRoom, at).await?;
        execute!(
            change.transaction.connection(),
            sqlx::query("update rooms set deleted_at = $2 where id = $1",)
                .bind(room.uuid())
                .bind(At(at))
        )?;
        change.commit().await?;
        Ok(())
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
            .bind(wish.name.as_ref().map(protocol::text::RoomName::as_str))
            .bind(wish.name.as_ref().map(protocol::text::RoomName::key))
            .bind(wish.topic.as_ref().map(protocol::text::Topic::as_str))
            .bind(wish.visibility.map(Visibility::as_str))
            .bind(room.password_hash.as_deref())
            .bind(wish.max_members.map(i64::from))
            .bind(wish.history.map(HistoryVisibility::as_str))
            .bind(wish.slow_mode_s.map(i64::from))
        );
        stored.map_err(|error| error.or_taken("name_key", ErrorCode::NameTaken))?;
        Ok(())
    }

    async fn set_archived(&mut self, since: Option<Timestamp>) -> Result<Event> {
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

/// How somebody who is not a member is refused: of what is not listed they may not even know.
pub(super) fn refuse_stranger(visibility: Visibility) -> Refusal {
    if visibility.is_listed() {
        ErrorCode::NotAMember.into()
    } else {
        ErrorCode::RoomNotFound.into()
    }
}

/// Where a page of rooms ended: everything that any of the orders goes by.
#[derive(serde::Serialize, serde::Deserialize)]
struct Cursor {
    count: i64,
    id: Uuid,
    key: String,
}

/// A room's row.
#[derive(Clone, FromRow)]
pub(super) struct RoomRow {
    id: Uuid,
    name: String,
    topic: String,
    visibility: Word<Visibility>,
    pub(super) password_hash: Option<String>,
    pub(super) owner_id: Option<Uuid>,
    max_members: i64,
    history: Word<HistoryVisibility>,
    slow_mode_s: i64,
    pub(super) head: i64,
    pub(super) messages: i64,
    pub(super) member_count: i64,
    created_at: At,
    archived_at: Option<At>,
}

/// A room and what the viewer is in it.
#[derive(FromRow)]
struct ListedRoom {
    #[sqlx(flatten)]
    room: RoomRow,
    name_key: String,
    role: Option<Word<Role>>,
    read_seq: Option<i64>,
    read_n: Option<i64>,
}

impl ListedRoom {
    fn room(&self) -> Room {
        self.room
            .room(self.role.map(|role| (role.0, self.read_n.unwrap_or(0))))
    }
}

impl RoomRow {
    pub(super) const fn id(&self) -> RoomId {
        RoomId::from_uuid(self.id)
    }

    pub(super) const fn visibility(&self) -> Visibility {
        self.visibility.0
    }

    pub(super) const fn is_archived(&self) -> bool {
        self.archived_at.is_some()
    }

    pub(super) const fn is_full(&self) -> bool {
        self.member_count >= self.max_members
    }

    /// The lowest place that somebody may read whose joining is the event at `joined`.
    pub(super) const fn first_of(&self, joined: Seq) -> Seq {
        match self.history.0 {
            HistoryVisibility::All => Seq(1),
            HistoryVisibility::SinceJoin => joined,
        }
    }

    /// The room as a member sees it, who has read so many messages; without one, as a stranger does.
    pub(super) fn room(&self, member: Option<(Role, i64)>) -> Room {
        let mut room = Room {
            id: self.id(),
            name: self.name.clone(),
            topic: self.topic.clone(),
            visibility: self.visibility(),
            has_password: self.password_hash.is_some(),
            members: count(self.member_count),
            owner_id: None,
            max_members: None,
            history: None,
            slow_mode_s: None,
            head: None,
            created_at: None,
            archived_at: None,
            role: member.map(|(role, _)| role),
            unread: member.map(|(_, read_n)| Seq::from_i64(self.messages - read_n).0),
        };
        if member.is_some() || self.visibility() == Visibility::Public {
            room.owner_id = self.owner_id.map(UserId::from_uuid);
            room.max_members = Some(count(self.max_members));
            room.history = Some(self.history.0);
            room.slow_mode_s = Some(count(self.slow_mode_s));
            room.head = Some(Seq::from_i64(self.head));
            room.created_at = Some(self.created_at.0);
            room.archived_at = self.archived_at.map(Timestamp::from);
        }
        room
    }

    /// What of `wish` is new, or why it cannot be.
    fn changes(&self, wish: &ChangeRoom) -> Result<RoomChanges> {
        let mut fields = Fields::default();
        let visibility = wish.visibility.unwrap_or(self.visibility());
        if self.visibility() == Visibility::Direct {
            fields.add("visibility", Violation::Conflicting);
        }
        if matches!(wish.password, Some(Some(_))) && visibility != Visibility::Private {
            fields.add("password", Violation::Conflicting);
        }
        if wish
            .max_members
            .is_some_and(|most| i64::from(most) < self.member_count)
        {
            fields.add("max_members", Violation::Conflicting);
        }
        if !fields.is_empty() {
            return Err(Refusal::from(fields).into());
        }
        let has_password = match &wish.password {
            _ if visibility != Visibility::Private => false,
            Some(password) => password.is_some(),
            None => self.password_hash.is_some(),
        };
        let new_text =
            |new: Option<&str>, old: &str| new.filter(|new| *new != old).map(str::to_owned);
        Ok(RoomChanges {
            name: new_text(
                wish.name.as_ref().map(protocol::text::RoomName::as_str),
                &self.name,
            ),
            topic: new_text(
                wish.topic.as_ref().map(protocol::text::Topic::as_str),
                &self.topic,
            ),
            visibility: wish.visibility.filter(|new| *new != self.visibility()),
            has_password: Some(has_password).filter(|new| *new != self.password_hash.is_some()),
            max_members: wish
                .max_members
                .filter(|new| i64::from(*new) != self.max_members),
            history: wish.history.filter(|new| *new != self.history.0),
            slow_mode_s: wish
                .slow_mode_s
                .filter(|new| i64::from(*new) != self.slow_mode_s),
        })
    }
}
