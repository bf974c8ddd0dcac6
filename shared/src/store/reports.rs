//! Reports of messages: what was said is copied with them, so that an edit does not take it away; a delete
//! does.

use protocol::{
    Act, ErrorCode, ReportId, RoomId, Seq, Timestamp, UserId,
    accounts::UserSummary,
    reports::{FindReports, NewReport, Report, ReportList, ReportReason, ReportState},
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    columns::{At, Word},
    cursor,
    events::count,
    pool::{execute, on},
};

/// Selects reports; what follows is given.
macro_rules! select_reports {
    ($tail:literal) => {
        concat!(
            "select p.id, p.room_id, p.seq, p.reason, p.note, p.body, p.state, p.created_at, p.closed_at,
                p.closed_by, p.reporter_id, a.username as reporter_username,
                a.display_name as reporter_display_name, p.sender_id, s.username as sender_username,
                s.display_name as sender_display_name
             from reports p join users a on a.id = p.reporter_id join users s on s.id = p.sender_id ",
            $tail
        )
    };
}

/// A report that is to be made.
#[derive(Clone, Debug)]
pub struct Reporting {
    /// Its id.
    pub id: ReportId,
    /// The room of the message.
    pub room: RoomId,
    /// The message's place.
    pub seq: Seq,
    /// Who reports it.
    pub by: UserId,
    /// Why.
    pub report: NewReport,
    /// When.
    pub at: Timestamp,
}

/// How many reports of a room are open, and who is to know.
#[derive(Clone, Debug)]
pub struct OpenReports {
    /// Its moderators and up.
    pub moderators: Vec<UserId>,
    /// How many.
    pub open: u32,
}

impl Store {
    /// Reports another's message. The report, and whether it is new: one and the same complaint that is still
    /// open is one report.
    ///
    /// # Errors
    /// As [`Store::access`], `message_not_found`, and `conflict` for one's own message.
    pub async fn report(&self, new: &Reporting) -> Result<(Report, bool)> {
        // The room is locked, so that no delete slips in between the reading and the copying.
        let mut change = self.change(new.room, new.by, new.at).await?;
        change.role()?;
        let sender = change.written_by(new.seq).await?;
        if sender == new.by {
            return Err(ErrorCode::Conflict.into());
        }
        let made = execute!(
            change.transaction.connection(),
            sqlx::query(
                "insert into reports (id, room_id, seq, reporter_id, sender_id, reason, note, body, created_at)
                 select $1, e.room_id, e.seq, $4, e.user_id, $5, $6, e.body, $7
                 from events e where e.room_id = $2 and e.seq = $3
                 on conflict (room_id, seq, reporter_id) where state = 'open' do nothing",
            )
            .bind(new.id.uuid())
            .bind(new.room.uuid())
            .bind(new.seq.to_i64())
            .bind(new.by.uuid())
            .bind(new.report.reason.as_str())
            .bind(new.report.note.as_ref().map(protocol::text::Reason::as_str))
            .bind(At(new.at))
        )?;
        let row: ReportRow = on!(change.transaction.connection(), connection => sqlx::query_as(select_reports!(
            "where p.room_id = $1 and p.seq = $2 and p.reporter_id = $3 and p.state = 'open'"
        ))
        .bind(new.room.uuid())
        .bind(new.seq.to_i64())
        .bind(new.by.uuid())
        .fetch_one(connection))?;
        change.transaction.commit().await?;
        Ok((row.report(), made > 0))
    }

    /// A page of reports, the latest first. Who may see them is the caller's to know.
    ///
    /// # Errors
    /// `validation_failed` for a cursor that no page ended with.
    pub async fn reports(&self, find: &FindReports) -> Result<ReportList> {
        let before: Option<Uuid> = find.cursor.as_deref().map(cursor::read).transpose()?;
        let mut rows: Vec<ReportRow> = on!(self.reader(), pool => sqlx::query_as(select_reports!(
            "where ($1 is null or p.room_id = $1) and ($2 is null or p.state = $2)
                and ($3 is null or p.id < $3)
                and not exists (select 1 from rooms r where r.id = p.room_id and r.deleted_at is not null)
             order by p.id desc limit $4"
        ))
        .bind(find.room.map(RoomId::uuid))
        .bind(find.state.map(ReportState::as_str))
        .bind(before)
        .bind(i64::from(find.limit) + 1)
        .fetch_all(pool))?;
        let next_cursor = cursor::page(&mut rows, find.limit, |row| row.id);
        Ok(ReportList {
            reports: rows.into_iter().map(ReportRow::report).collect(),
            next_cursor,
        })
    }

    /// A page of the reports of one room.
    ///
    /// # Errors
    /// As [`Store::access`], `forbidden` for who is no moderator, and as [`Store::reports`].
    pub async fn room_reports(
        &self,
        room: RoomId,
        viewer: UserId,
        find: &FindReports,
    ) -> Result<ReportList> {
        if !self.access(room, viewer).await?.role.may(Act::Moderate) {
            return Err(ErrorCode::Forbidden.into());
        }
        let find = FindReports {
            room: Some(room),
            ..find.clone()
        };
        self.reports(&find).await
    }

    /// How many reports of a room are open, and who sees to them; nobody does in a conversation.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn open_reports(&self, room: RoomId) -> Result<OpenReports> {
        let rows: Vec<(Uuid, i64)> = on!(self.reader(), pool => sqlx::query_as(
            "select m.user_id, (select count(*) from reports where room_id = $1 and state = 'open')
             from members m where m.room_id = $1 and m.role in ('owner', 'admin', 'moderator')",
        )
        .bind(room.uuid())
        .fetch_all(pool))?;
        Ok(OpenReports {
            open: rows.first().map_or(0, |(_, open)| count(*open)),
            moderators: rows
                .into_iter()
                .map(|(id, _)| UserId::from_uuid(id))
                .collect(),
        })
    }

    /// Says what became of a report of a room.
    ///
    /// # Errors
    /// As [`Store::access`], `report_not_found`, `forbidden` for who is no moderator, or wrote what is
    /// reported; `conflict` for one that would be open a second time.
    pub async fn change_report(
        &self,
        room: RoomId,
        by: UserId,
        report: ReportId,
        state: ReportState,
        at: Timestamp,
    ) -> Result<Report> {
        let role = self.access(room, by).await?.role;
        if !role.may(Act::Moderate) {
            return Err(ErrorCode::Forbidden.into());
        }
        let known: Option<(Uuid,)> = on!(self.reader(), pool => sqlx::query_as(
            "select sender_id from reports where id = $1 and room_id = $2",
        ).bind(report.uuid()).bind(room.uuid()).fetch_optional(pool))?;
        let (sender,) = known.ok_or(ErrorCode::ReportNotFound)?;
        if sender == by.uuid() {
            return Err(ErrorCode::Forbidden.into());
        }
        self.close_report(report, by, state, at).await
    }

    /// Says what became of a report, of whichever room.
    ///
    /// # Errors
    /// `report_not_found`, or `conflict` for one that would be open a second time.
    pub async fn close_report(
        &self,
        report: ReportId,
        by: UserId,
        state: ReportState,
        at: Timestamp,
    ) -> Result<Report> {
        let is_open = state == ReportState::Open;
        let changed = execute!(
            self.writer(),
            sqlx::query(
                "update reports set state = $2, closed_at = $3, closed_by = $4 where id = $1"
            )
            .bind(report.uuid())
            .bind(state.as_str())
            .bind((!is_open).then_some(At(at)))
            .bind((!is_open).then_some(by.uuid()))
        );
        let changed = changed.map_err(|error| error.or_taken("reports", ErrorCode::Conflict))?;
        if changed == 0 {
            return Err(ErrorCode::ReportNotFound.into());
        }
        let row: ReportRow = on!(self.writer(), pool => sqlx::query_as(select_reports!("where p.id = $1"))
            .bind(report.uuid())
            .fetch_one(pool))?;
        Ok(row.report())
    }
}

#[derive(FromRow)]
struct ReportRow {
    id: Uuid,
    room_id: Uuid,
    seq: i64,
    reason: Word<ReportReason>,
    note: Option<String>,
    body: Option<String>,
    state: Word<ReportState>,
    created_at: At,
    closed_at: Option<At>,
    closed_by: Option<Uuid>,
    reporter_id: Uuid,
    reporter_username: String,
    reporter_display_name: String,
    sender_id: Uuid,
    sender_username: String,
    sender_display_name: String,
}

impl ReportRow {
    fn report(self) -> Report {
        Report {
            id: ReportId::from_uuid(self.id),
            room: RoomId::from_uuid(self.room_id),
            seq: Seq::from_i64(self.seq),
            reporter: UserSummary {
                id: UserId::from_uuid(self.reporter_id),
                username: self.reporter_username,
                display_name: self.reporter_display_name,
            },
            sender: UserSummary {
                id: UserId::from_uuid(self.sender_id),
                username: self.sender_username,
                display_name: self.sender_display_name,
            },
            reason: self.reason.0,
            note: self.note,
            body: self.body,
            state: self.state.0,
            created_at: self.created_at.0,
            closed_at: self.closed_at.map(Timestamp::from),
            closed_by: self.closed_by.map(UserId::from_uuid),
        }
    }
}
