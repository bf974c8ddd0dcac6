//! How a room stands in its row, and how much of it each viewer is told.

use protocol::{
    ErrorCode, Fields, Role, RoomId, Seq, Timestamp, UserId, Violation,
    accounts::UserSummary,
    events::RoomChanges,
    rooms::{ChangeRoom, HistoryVisibility, Room, Visibility},
    text::{RoomName, Topic},
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result,
    columns::{At, Word},
    events::count,
};
use crate::Refusal;

/// Selects rooms with what `$1` is in them; what follows is given.
macro_rules! select_rooms {
    ($tail:literal) => {
        concat!(
            "select r.id, r.name, r.topic, r.visibility, r.password_hash, r.owner_id, r.max_members,
                r.history, r.slow_mode_s, r.head, r.messages, r.member_count, r.created_at, r.archived_at,
                r.name_key, m.role, m.read_seq, m.read_n,
                (
                    select count(distinct x.seq) from mentions x
                    where x.room_id = m.room_id and x.user_id in (m.user_id, m.room_id)
                        and x.seq > m.read_seq and x.by_id <> m.user_id
                ) as mentions,
                case when r.visibility = 'direct' then (
                    select string_agg(
                        hex(u.id) || '\u{1f}' || u.username || '\u{1f}' || u.display_name, '\u{1e}' order by u.username
                    )
                    from members x join users u on u.id = x.user_id where x.room_id = r.id
                ) end as people
            from rooms r left join members m on m.room_id = r.id and m.user_id = $1 ",
            $tail
        )
    };
}
pub(super) use select_rooms;

/// A room's row.
#[derive(Clone, FromRow)]
pub(super) struct RoomRow {
    pub(super) id: Uuid,
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
    pub(super) archived_at: Option<At>,
}

/// A room and what the viewer is in it.
#[derive(FromRow)]
pub(super) struct ListedRoom {
    #[sqlx(flatten)]
    pub(super) room: RoomRow,
    pub(super) name_key: String,
    pub(super) role: Option<Word<Role>>,
    pub(super) read_seq: Option<i64>,
    read_n: Option<i64>,
    mentions: i64,
    /// The people of a direct conversation: id, username and display name of each, between separators
    /// that no name has.
    people: Option<String>,
}

impl ListedRoom {
    pub(super) fn room(&self) -> Room {
        let member = self.role.map(|role| (role.0, self.read_n.unwrap_or(0)));
        Room {
            people: people(self.people.as_deref().unwrap_or_default()),
            ..self.room.room(member)
        }
    }

    /// How many messages call the viewer that they have not read.
    pub(super) fn mentions(&self) -> u64 {
        u64::try_from(self.mentions).unwrap_or_default()
    }
}

/// The people that [`select_rooms`] tells of.
pub(super) fn people(told: &str) -> Vec<UserSummary> {
    let person = |told: &str| {
        let mut parts = told.split('\u{1f}');
        Some(UserSummary {
            id: parts.next()?.parse().ok()?,
            username: parts.next()?.to_owned(),
            display_name: parts.next()?.to_owned(),
        })
    };
    told.split('\u{1e}').filter_map(person).collect()
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

    pub(super) const fn max_members(&self) -> i64 {
        self.max_members
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
            people: Vec::new(),
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

    /// All that there is to tell, of the room and of nobody's place in it.
    pub(super) fn whole(&self) -> Room {
        Room {
            role: None,
            unread: None,
            ..self.room(Some((Role::Owner, 0)))
        }
    }

    /// What of `wish` is new, or why it cannot be.
    pub(super) fn changes(&self, wish: &ChangeRoom) -> Result<RoomChanges> {
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
            name: new_text(wish.name.as_ref().map(RoomName::as_str), &self.name),
            topic: new_text(wish.topic.as_ref().map(Topic::as_str), &self.topic),
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

/// How somebody who is not a member is refused: of what is not listed they may not even know.
pub(super) fn refuse_stranger(visibility: Visibility) -> Refusal {
    if visibility.is_listed() {
        ErrorCode::NotAMember.into()
    } else {
        ErrorCode::RoomNotFound.into()
    }
}
