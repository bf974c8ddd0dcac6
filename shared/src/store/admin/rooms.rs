//! Rooms as server admins see them: all of them, and given to somebody when nobody has them.

use protocol::{
    ErrorCode, Role, RoomId, Timestamp, UserId,
    accounts::UserSummary,
    admin::{AdminRoom, AdminRoomList, FindAdminRooms},
    events::{Archived, Event, EventKind},
    rooms::Visibility,
};
use sqlx::FromRow;
use uuid::Uuid;

use crate::store::{
    Result, Store,
    columns::At,
    cursor,
    pool::{execute, on},
    room_row::{RoomRow, people},
};

/// Selects rooms with who has them; what follows is given.
macro_rules! select_admin_rooms {
    ($tail:literal) => {
        concat!(
            "select r.id, r.name, r.topic, r.visibility, r.password_hash, r.owner_id, r.max_members,
                r.history, r.slow_mode_s, r.head, r.messages, r.member_count, r.created_at, r.archived_at,
                r.deleted_at, r.restorable_until, o.username as owner_username,
                o.display_name as owner_display_name,
                r.visibility <> 'direct' and (o.id is null or o.erased_at is not null or o.suspended_at is not null)
                    as is_ownerless,
                case when r.visibility = 'direct' then (
                    select string_agg(
                        hex(u.id) || '\u{1f}' || u.username || '\u{1f}' || u.display_name, '\u{1e}' order by u.username
                    )
                    from members x join users u on u.id = x.user_id where x.room_id = r.id
                ) end as people
             from rooms r left join users o on o.id = r.owner_id ",
            $tail
        )
    };
}

impl Store {
    /// A page of rooms of every visibility, the newest first.
    ///
    /// # Errors
    /// `validation_failed` for a cursor that no page ended with.
    pub async fn admin_rooms(&self, find: &FindAdminRooms) -> Result<AdminRoomList> {
        let before: Option<Uuid> = find.cursor.as_deref().map(cursor::read).transpose()?;
        let like = format!(
            "%{}%",
            find.query
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_")
        );
        let mut rows: Vec<AdminRow> = on!(self.reader(), pool => sqlx::query_as(select_admin_rooms!(
            r"where r.name_key like $1 escape '\' and (r.deleted_at is not null) = $2
                and (not $3 or (
                    r.visibility <> 'direct'
                    and (o.id is null or o.erased_at is not null or o.suspended_at is not null)
                ))
                and ($4 is null or r.id < $4)
             order by r.id desc limit $5"
        ))
        .bind(&like)
        .bind(find.deleted)
        .bind(find.ownerless)
        .bind(before)
        .bind(i64::from(find.limit) + 1)
        .fetch_all(pool))?;
        let next_cursor = cursor::page(&mut rows, find.limit, |row| row.room.id);
        Ok(AdminRoomList {
            rooms: rows.into_iter().map(AdminRow::room).collect(),
            next_cursor,
        })
    }

    /// One room, deleted or not.
    ///
    /// # Errors
    /// `room_not_found`.
    pub async fn admin_room(&self, room: RoomId) -> Result<AdminRoom> {
        let row: Option<AdminRow> = on!(self.reader(), pool => sqlx::query_as(
            select_admin_rooms!("where r.id = $1"),
        ).bind(room.uuid()).fetch_optional(pool))?;
        Ok(row.ok_or(ErrorCode::RoomNotFound)?.room())
    }

    /// Gives a room to somebody, who joins it if they are not in it. Who had it so far is an admin of it then.
    /// The events of that, none if they have it already.
    ///
    /// # Errors
    /// `room_not_found`, `user_not_found` of who is suspended, too; `conflict` for a conversation, which nobody has.
    pub async fn give_room(
        &self,
        room: RoomId,
        by: UserId,
        owner: UserId,
        at: Timestamp,
    ) -> Result<Vec<Event>> {
        let mut change = self.change(room, by, at).await?;
        if change.room.visibility() == Visibility::Direct {
            return Err(ErrorCode::Conflict.into());
        }
        let open: Option<Uuid> = on!(change.transaction.connection(), connection => sqlx::query_scalar(
            "select id from users where id = $1 and suspended_at is null and erased_at is null",
        ).bind(owner.uuid()).fetch_optional(connection))?;
        open.ok_or(ErrorCode::UserNotFound)?;
        let mut events = Vec::new();
        let mut person = change.person(owner).await?;
        if person.role() == Some(Role::Owner) {
            return Ok(events);
        }
        if person.role().is_none() {
            let admin = std::mem::replace(&mut change.by, person);
            execute!(
                change.transaction.connection(),
                sqlx::query("delete from bans where room_id = $1 and user_id = $2")
                    .bind(room.uuid())
                    .bind(owner.uuid())
            )?;
            events.push(change.admit(Role::Member).await?);
            change.by = admin;
            person = change.person(owner).await?;
        }
        if let Some(former) = change.room.owner_id {
            let mut former = change.person(UserId::from_uuid(former)).await?;
            if former.role() == Some(Role::Owner) {
                events.push(change.give_role(&mut former, Role::Admin).await?);
            }
        }
        events.push(change.give_role(&mut person, Role::Owner).await?);
        change.room.owner_id = Some(owner.uuid());
        change.commit().await?;
        Ok(events)
    }

    /// Archives a room, or opens it again; nothing if it is so already.
    ///
    /// # Errors
    /// `room_not_found`.
    pub async fn archive_room(
        &self,
        room: RoomId,
        by: UserId,
        archived: bool,
        at: Timestamp,
    ) -> Result<Option<Event>> {
        let mut change = self.change(room, by, at).await?;
        if change.room.is_archived() == archived {
            return Ok(None);
        }
        let event = change.set_archived(archived.then_some(at)).await?;
        debug_assert_eq!(event.kind, EventKind::Archive(Archived { archived }));
        change.commit().await?;
        Ok(Some(event))
    }
}

#[derive(FromRow)]
struct AdminRow {
    #[sqlx(flatten)]
    room: RoomRow,
    deleted_at: Option<At>,
    restorable_until: Option<At>,
    owner_username: Option<String>,
    owner_display_name: Option<String>,
    is_ownerless: bool,
    /// As in the list of one's own rooms.
    people: Option<String>,
}

impl AdminRow {
    fn room(self) -> AdminRoom {
        let owner = self.room.owner_id.zip(self.owner_username);
        AdminRoom {
            owner: owner.map(|(id, username)| UserSummary {
                id: UserId::from_uuid(id),
                username,
                display_name: self.owner_display_name.unwrap_or_default(),
            }),
            ownerless: self.is_ownerless,
            messages: u64::try_from(self.room.messages).unwrap_or_default(),
            deleted_at: self.deleted_at.map(Timestamp::from),
            restorable_until: self.restorable_until.map(Timestamp::from),
            room: protocol::rooms::Room {
                people: people(self.people.as_deref().unwrap_or_default()),
                ..self.room.whole()
            },
        }
    }
}
