//! Reports: what members tell moderators of a message, and what becomes of it.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Fields, Limits, Parse, ReportId, RoomId, Seq, Timestamp, UserId,
    accounts::UserSummary,
    fields::{Whole, id, word},
    rooms::{page_cursor, page_limit},
    text::Reason,
};

/// Why a message is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportReason {
    /// It sells something, or misleads.
    Spam,
    /// It is after a person.
    Harassment,
    /// It is after a group of people.
    Hate,
    /// It threatens, or praises violence.
    Violence,
    /// It is sexual where it should not be.
    Sexual,
    /// It is against the law.
    Illegal,
    /// What the note says.
    Other,
}

impl ReportReason {
    /// The stable word, as on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spam => "spam",
            Self::Harassment => "harassment",
            Self::Hate => "hate",
            Self::Violence => "violence",
            Self::Sexual => "sexual",
            Self::Illegal => "illegal",
            Self::Other => "other",
        }
    }
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportState {
    /// Nothing yet.
    Open,
    /// Something was done.
    Resolved,
    /// There was nothing to be done.
    Dismissed,
}

impl ReportState {
    /// The stable word, as on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Dismissed => "dismissed",
        }
    }
}

/// A message that somebody reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Names the report.
    pub id: ReportId,
    /// The room of the message.
    pub room: RoomId,
    /// The message's place there.
    pub seq: Seq,
    /// Who reported it.
    pub reporter: UserSummary,
    /// Who wrote it.
    pub sender: UserSummary,
    /// Why.
    pub reason: ReportReason,
    /// Why, in the reporter's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What the message said then; left out once it is deleted, or its sender erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What became of it.
    pub state: ReportState,
    /// When it was reported.
    pub created_at: Timestamp,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Who closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<UserId>,
}

/// `POST /v1/rooms/{id}/messages/{seq}/report`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ReportBody {
    /// Why.
    #[schema(required, nullable = false, value_type = ReportReason)]
    pub reason: Option<String>,
    /// In one's own words, 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    pub note: Option<String>,
}

/// A checked report.
#[derive(Clone, Debug)]
pub struct NewReport {
    /// Why.
    pub reason: ReportReason,
    /// In the reporter's own words.
    pub note: Option<Reason>,
}

impl Parse for NewReport {
    type Raw = ReportBody;

    fn parse(raw: ReportBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let reason = fields.required("reason", raw.reason, word);
        let note = fields.optional("note", raw.note, |raw| Reason::parse(&raw, limits));
        match reason {
            Some(reason) if fields.is_empty() => Ok(Self { reason, note }),
            _ => Err(fields),
        }
    }
}

/// `PATCH /v1/rooms/{id}/reports/{report}`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ChangeReportBody {
    /// What became of it.
    #[schema(required, nullable = false, value_type = ReportState)]
    pub state: Option<String>,
}

/// A checked change of a report.
#[derive(Clone, Copy, Debug)]
pub struct ChangeReport {
    /// What became of it.
    pub state: ReportState,
}

impl Parse for ChangeReport {
    type Raw = ChangeReportBody;

    fn parse(raw: ChangeReportBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let state = fields.required("state", raw.state, word);
        state.map(|state| Self { state }).ok_or(fields)
    }
}

/// The query of `GET /v1/rooms/{id}/reports`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReportsQuery {
    /// Only these.
    #[param(inline, value_type = ReportState, required = false)]
    state: Option<String>,
    /// Where the page before ended.
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// At most so many; 50 if left out.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
}

/// The query of `GET /v1/admin/reports`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AllReportsQuery {
    /// Only these.
    #[param(inline, value_type = ReportState, required = false)]
    state: Option<String>,
    /// Only those of this room.
    #[param(value_type = RoomId, required = false)]
    room: Option<String>,
    /// Where the page before ended.
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// At most so many; 50 if left out.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
}

/// A checked search for reports.
#[derive(Clone, Debug, Default)]
pub struct FindReports {
    /// Only these.
    pub state: Option<ReportState>,
    /// Only those of this room.
    pub room: Option<RoomId>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// A checked search for the reports of one room.
#[derive(Clone, Debug, Default)]
pub struct FindRoomReports(
    /// Which; the room is still to be said.
    pub FindReports,
);

impl Parse for FindRoomReports {
    type Raw = ReportsQuery;

    fn parse(raw: ReportsQuery, limits: &Limits) -> Result<Self, Fields> {
        let ReportsQuery {
            state,
            cursor,
            limit,
        } = raw;
        let raw = AllReportsQuery {
            state,
            room: None,
            cursor,
            limit,
        };
        FindReports::parse(raw, limits).map(Self)
    }
}

impl Parse for FindReports {
    type Raw = AllReportsQuery;

    fn parse(raw: AllReportsQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let state = fields.optional("state", raw.state, word);
        let room = fields.optional("room", raw.room, id);
        let cursor = page_cursor(&mut fields, raw.cursor);
        let limit = page_limit(&mut fields, raw.limit, limits);
        if fields.is_empty() {
            Ok(Self {
                state,
                room,
                cursor,
                limit,
            })
        } else {
            Err(fields)
        }
    }
}

/// A page of reports, the latest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReportList {
    /// The reports.
    pub reports: Vec<Report>,
    /// Where the next page begins; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
