//! Who is in a room: joining, leaving, the list, roles and mutes. Removing people is `moderation`.

use protocol::{
    Act, ErrorCode, Fields, Role, RoomId, Timestamp, UserId, Violation,
    events::{Event, EventKind, Moderated},
    rooms::{ChangeMember, Member, MemberList, Page, Visibility},
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    change::{Person, RoomChange},
    columns::{At, Word},
    cursor,
    events::count,
    pool::{execute, on},
};
use crate::Refusal;

/// What somebody who wants to come in finds.
#[derive(Clone, Debug)]
pub struct Door {
    /// Who may find the room.
    pub visibility: Visibility,
    /// What opens it.
    pub password_hash: Option<String>,
    /// Whether they are in already.
    pub is_member: bool,
    /// Whether they are kept out.
    pub banned: bool,
}

/// How somebody comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The room is open to all.
    Open,
    /// They knew the password; this is the hash that it was held against.
    PasswordChecked(String),
    /// They have an invite of this code.
    Invite(String),
}

/// A membership, and the event if it is new.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The membership.
    pub member: Member,
    /// The joining; nothing if they were in already.
    pub event: Option<Event>,
}

/// A page of members, and how many there are on all pages.
#[derive(Clone, Debug)]
pub struct Members {
    /// The page.
    pub list: MemberList,
    /// All members of the room.
    pub all: u32,
}

impl Store {
    /// What `user` finds who wants to join `room`.
    ///
    /// # Errors
    /// `room_not_found`.
    pub async fn door(&self, room: RoomId, user: UserId, at: Timestamp) -> Result<Door> {
        let row: Option<DoorRow> = on!(self.reader(), pool => sqlx::query_as(
            "select r.visibility, r.password_hash, m.user_id as member_id, b.user_id as banned_id
             from rooms r
             left join members m on m.room_id = r.id and m.user_id = $2
             left join bans b on b.room_id = r.id and b.user_id = $2 and (b.until is null or b.until > $3)
             where r.id = $1 and r.deleted_at is null",
        ).bind(room.uuid()).bind(user.uuid()).bind(At(at)).fetch_optional(pool))?;
        let row = row.ok_or(ErrorCode::RoomNotFound)?;
        Ok(Door {
            visibility: row.visibility.0,
            password_hash: row.password_hash,
            is_member: row.member_id.is_some(),
            banned: row.banned_id.is_some(),
        })
    }

    /// Lets `user` in, if `entry` still opens the room. Who is in already stays in.
    ///
    /// # Errors
    /// `banned`, `room_full`, `archived`, `wrong_password`, `invite_not_found`, `not_a_member` when an
    /// open door was closed meanwhile, or `room_not_found` of a secret room.
    pub async fn join(
        &self,
        room: RoomId,
        user: UserId,
        entry: &Entry,
        at: Timestamp,
    ) -> Result<Joined> {
        let mut change = self.change(room, user, at).await?;
        if let Some(member) = change.by.member(room) {
            return Ok(Joined {
                member,
                event: None,
            });
        }
        change.open_door(entry).await?;
        change.admit_newcomer(user).await
    }

    /// Takes `user` out of a room, as they wish.
    ///
    /// # Errors
    /// `last_owner`: an owner hands the room over first, or deletes it.
    pub async fn leave(&self, room: RoomId, user: UserId, at: Timestamp) -> Result<Event> {
        let mut change = self.change(room, user, at).await?;
        if change.role()? == Role::Owner {
            return Err(ErrorCode::LastOwner.into());
        }
        change.expel(user).await?;
        let event = change.write(EventKind::Leave).await?;
        change.commit().await?;
        Ok(event)
    }

    /// The members of a room: the owner first, then by role and name.
    ///
    /// # Errors
    /// As [`Store::access`], and `validation_failed` for a cursor that no page ended with.
    pub async fn members(&self, room: RoomId, viewer: UserId, page: &Page) -> Result<Members> {
        let after: Option<Cursor> = page.cursor.as_deref().map(cursor::read).transpose()?;
        let (rank, username) = after.map(|after| (after.rank, after.username)).unzip();
        let mut rows: Vec<MemberRow> = on!(self.reader(), pool => sqlx::query_as(
            "select user_id, username, display_name, status, role, joined_at, muted_until, place,
                (select member_count from rooms where id = $1) as member_count
             from (
                select m.user_id, u.username, u.display_name, u.status, m.role, m.joined_at, m.muted_until,
                    case m.role when 'owner' then 0 when 'admin' then 1 when 'moderator' then 2 else 3 end
                        as place
                from members m join users u on u.id = m.user_id
                where m.room_id = $1
             ) ranked
             where ($2 is null or place > $2 or (place = $2 and username > $3))
                and exists (
                    select 1 from members v join rooms r on r.id = v.room_id
                    where v.room_id = $1 and v.user_id = $5 and r.deleted_at is null
                )
             order by place, username limit $4",
        )
        .bind(room.uuid())
        .bind(rank)
        .bind(username.as_deref())
        .bind(i64::from(page.limit) + 1)
        .bind(viewer.uuid())
        .fetch_all(pool))?;
        let all = match rows.first() {
            Some(row) => count(row.member_count),
            // The end of the list, or a list that the viewer may not see.
            None => self.access(room, viewer).await?.member_count,
        };
        let next_cursor = cursor::page(&mut rows, page.limit, |row| Cursor {
            rank: row.place,
            username: row.username.clone(),
        });
        let list = MemberList {
            members: rows.into_iter().map(|row| row.member(room)).collect(),
            next_cursor,
        };
        Ok(Members { list, all })
    }

    /// Changes a member: their role, whether they may write, or both. Making somebody the owner makes
    /// the owner so far an admin. What is as it was already makes no event.
    ///
    /// # Errors
    /// `member_not_found`, `forbidden`, `last_owner` for an owner who would be something else,
    /// `archived`, or `validation_failed` for a mute that is over.
    pub async fn change_member(
        &self,
        room: RoomId,
        by: UserId,
        user: UserId,
        wish: &ChangeMember,
        at: Timestamp,
    ) -> Result<(Member, Vec<Event>)> {
        let mut change = self.change(room, by, at).await?;
        let own_role = change.role()?;
        change.must_be_writable()?;
        let mut person = change.person(user).await?;
        let role = person.role().ok_or(ErrorCode::MemberNotFound)?;
        let mut events = Vec::new();
        if let Some(until) = wish.muted_until {
            if !own_role.may_moderate(role) {
                return Err(ErrorCode::Forbidden.into());
            }
            events.extend(change.mute(&mut person, until).await?);
        }
        if let Some(new) = wish.role.filter(|new| *new != role) {
            if role == Role::Owner && user == by {
                return Err(ErrorCode::LastOwner.into());
            }
            if !own_role.may_change_role(role, new) {
                return Err(ErrorCode::Forbidden.into());
            }
            events.push(change.give_role(&mut person, new).await?);
            if new == Role::Owner {
                change.room.owner_id = Some(user.uuid());
                let mut owner = change.by.clone();
                events.push(change.give_role(&mut owner, Role::Admin).await?);
            }
        } else if wish.role.is_some() && !own_role.may(Act::GiveRoles) {
            return Err(ErrorCode::Forbidden.into());
        }
        change.commit().await?;
        let member = person.member(room).ok_or(ErrorCode::MemberNotFound)?;
        Ok((member, events))
    }
}

impl RoomChange {
    /// Whether `entry` opens the room as it is now.
    async fn open_door(&mut self, entry: &Entry) -> Result<()> {
        let visibility = self.room.visibility();
        match (visibility, entry) {
            (Visibility::Public, _) => Ok(()),
            (Visibility::Private | Visibility::Secret, Entry::Invite(code)) => {
                let found = self.use_invite(code).await?;
                let refusal = if visibility == Visibility::Secret {
                    ErrorCode::RoomNotFound
                } else {
                    ErrorCode::InviteNotFound
                };
                if found { Ok(()) } else { Err(refusal.into()) }
            }
            (Visibility::Private, Entry::PasswordChecked(seen)) => {
                if self.room.password_hash.as_ref() == Some(seen) {
                    Ok(())
                } else {
                    Err(ErrorCode::WrongPassword.into())
                }
            }
            (Visibility::Private, Entry::Open) => Err(ErrorCode::NotAMember.into()),
            (Visibility::Secret | Visibility::Direct, _) => Err(ErrorCode::RoomNotFound.into()),
        }
    }

    /// Makes the one who makes the change a member, if there is a place for them.
    pub(super) async fn admit_newcomer(mut self, user: UserId) -> Result<Joined> {
        if self.is_banned(user).await? {
            return Err(ErrorCode::Banned.into());
        }
        self.must_be_writable()?;
        if self.room.is_full() {
            return Err(ErrorCode::RoomFull.into());
        }
        let event = self.admit(Role::Member).await?;
        let member = self
            .person(user)
            .await?
            .member(event.room)
            .ok_or(ErrorCode::Internal)?;
        self.commit().await?;
        Ok(Joined {
            member,
            event: Some(event),
        })
    }

    /// Makes the one who makes the change a member, and writes that they joined. What held for them
    /// when they left holds again.
    pub(super) async fn admit(&mut self, role: Role) -> Result<Event> {
        let event = self.write(EventKind::Join).await?;
        self.room.member_count += 1;
        execute!(self.transaction.connection(), sqlx::query(
            "insert into members (room_id, user_id, role, joined_at, first_seq, read_seq, read_n, read_at,
                muted_until, wrote_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8,
                (select muted_until from absences where room_id = $1 and user_id = $2),
                (select wrote_at from absences where room_id = $1 and user_id = $2))",
        )
        .bind(event.room.uuid())
        .bind(self.by.user().uuid())
        .bind(role.as_str())
        .bind(At(self.at))
        .bind(self.room.first_of(event.seq).to_i64())
        .bind(event.seq.to_i64())
        .bind(self.room.messages)
        .bind(At(self.at)))?;
        execute!(
            self.transaction.connection(),
            sqlx::query("delete from absences where room_id = $1 and user_id = $2")
                .bind(event.room.uuid())
                .bind(self.by.user().uuid())
        )?;
        Ok(event)
    }

    /// Removes a membership; the event is the caller's.
    pub(super) async fn expel(&mut self, user: UserId) -> Result<()> {
        self.room.member_count -= 1;
        execute!(
            self.transaction.connection(),
            sqlx::query(
                "insert into absences (room_id, user_id, muted_until, wrote_at)
             select room_id, user_id, muted_until, wrote_at from members
             where room_id = $1 and user_id = $2 and (muted_until > $3 or wrote_at is not null)",
            )
            .bind(self.room.id().uuid())
            .bind(user.uuid())
            .bind(At(self.at))
        )?;
        execute!(
            self.transaction.connection(),
            sqlx::query("delete from members where room_id = $1 and user_id = $2",)
                .bind(self.room.id().uuid())
                .bind(user.uuid())
        )?;
        Ok(())
    }

    async fn mute(
        &mut self,
        person: &mut Person,
        until: Option<Timestamp>,
    ) -> Result<Option<Event>> {
        if until.is_some_and(|until| until <= self.at) {
            return Err(Refusal::from(Fields::one("muted_until", Violation::OutOfRange)).into());
        }
        if until.is_none() && !person.is_muted(self.at) {
            return Ok(None);
        }
        person.set_muted_until(until);
        execute!(
            self.transaction.connection(),
            sqlx::query("update members set muted_until = $3 where room_id = $1 and user_id = $2",)
                .bind(self.room.id().uuid())
                .bind(person.user().uuid())
                .bind(until.map(At))
        )?;
        let muted = Moderated {
            member: person.summary(),
            role: None,
            reason: None,
            until,
        };
        self.write(EventKind::Mute(muted)).await.map(Some)
    }

    pub(super) async fn give_role(&mut self, person: &mut Person, role: Role) -> Result<Event> {
        person.set_role(role);
        execute!(
            self.transaction.connection(),
            sqlx::query("update members set role = $3 where room_id = $1 and user_id = $2",)
                .bind(self.room.id().uuid())
                .bind(person.user().uuid())
                .bind(role.as_str())
        )?;
        let given = Moderated {
            member: person.summary(),
            role: Some(role),
            reason: None,
            until: None,
        };
        self.write(EventKind::Role(given)).await
    }
}

#[derive(FromRow)]
struct DoorRow {
    visibility: Word<Visibility>,
    password_hash: Option<String>,
    member_id: Option<Uuid>,
    banned_id: Option<Uuid>,
}

/// Where a page of members ended.
#[derive(serde::Serialize, serde::Deserialize)]
struct Cursor {
    rank: i32,
    #[serde(deserialize_with = "cursor::name")]
    username: String,
}

#[derive(FromRow)]
struct MemberRow {
    user_id: Uuid,
    username: String,
    display_name: String,
    status: String,
    role: Word<Role>,
    joined_at: At,
    muted_until: Option<At>,
    place: i32,
    member_count: i64,
}

impl MemberRow {
    fn member(self, room: RoomId) -> Member {
        Member {
            room,
            user: protocol::accounts::UserSummary {
                id: UserId::from_uuid(self.user_id),
                username: self.username,
                display_name: self.display_name,
            },
            role: self.role.0,
            joined_at: self.joined_at.0,
            muted_until: self.muted_until.map(Timestamp::from),
            status: self.status,
            presence: None,
        }
    }
}
