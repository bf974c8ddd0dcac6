//! Reporting messages, and what moderators and server admins do about it.

use protocol::{
    ReportId, RoomId, Seq,
    audit::AuditAction,
    reports::{ChangeReport, FindReports, NewReport, Report, ReportList},
};
use serde_json::json;

use crate::{
    App, Caller, Refusal, messages,
    news::Word,
    store::{OpenReports, Reporting},
};

/// Reports another's message; whether the report is new.
///
/// # Errors
/// As [`crate::Store::report`], and `rate_limited`: a report is as loud as a message.
pub async fn report(
    app: &App,
    caller: &Caller,
    room: RoomId,
    seq: Seq,
    report: NewReport,
) -> Result<(Report, bool), Refusal> {
    messages::spend(app, caller).await?;
    let new = Reporting {
        id: app.clock.id(),
        room,
        seq,
        by: caller.user.id,
        report,
        at: app.clock.now(),
    };
    let (report, is_new) = app.store.report(&new).await?;
    if is_new {
        let data = json!({ "report": report.id, "seq": seq, "sender": report.sender.id, "reason": report.reason });
        note(app, caller, AuditAction::MessageReport, &report, data).await;
        tell_moderators(app, room).await;
    }
    Ok((report, is_new))
}

/// The reports of one room.
///
/// # Errors
/// As [`crate::Store::room_reports`].
pub async fn of_room(
    app: &App,
    caller: &Caller,
    room: RoomId,
    find: &FindReports,
) -> Result<ReportList, Refusal> {
    Ok(app.store.room_reports(room, caller.user.id, find).await?)
}

/// Says what became of a report of a room.
///
/// # Errors
/// As [`crate::Store::change_report`].
pub async fn change(
    app: &App,
    caller: &Caller,
    room: RoomId,
    report: ReportId,
    wish: ChangeReport,
) -> Result<Report, Refusal> {
    let now = app.clock.now();
    let report = app
        .store
        .change_report(room, caller.user.id, report, wish.state, now)
        .await?;
    note_closed(app, caller, &report).await;
    Ok(report)
}

/// Notes that somebody said what became of a report, and tells those who see to them.
pub(crate) async fn note_closed(app: &App, caller: &Caller, report: &Report) {
    let data = json!({ "report": report.id, "seq": report.seq, "state": report.state });
    note(app, caller, AuditAction::ReportClose, report, data).await;
    tell_moderators(app, report.room).await;
}

/// Tells those who see to the reports of a room how many are open now. What is lost is read when they look.
async fn tell_moderators(app: &App, room: RoomId) {
    match app.store.open_reports(room).await {
        Ok(OpenReports { moderators, open }) => {
            app.news
                .tell(moderators, Word::Reports { room, open })
                .await;
        }
        Err(error) => {
            tracing::debug!(room.id = %room, %error, "moderators are not told of a report");
        }
    }
}

async fn note(
    app: &App,
    caller: &Caller,
    action: AuditAction,
    report: &Report,
    data: serde_json::Value,
) {
    let room = Some(report.room.to_string());
    app.audit(caller, action, room, data).await;
}
