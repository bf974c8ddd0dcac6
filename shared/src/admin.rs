//! What server admins do about accounts, rooms and reports. Every operation first makes sure that the caller
//! still is one: the access token may be older than that.

use protocol::{
    ErrorCode, ReportId, RoomId, UserId,
    admin::{
        Account, AccountList, AdminRoom, AdminRoomList, ChangeAccount, ChangeAdminRoom,
        FindAccounts, FindAdminRooms, ResetLink, Storage,
    },
    audit::AuditAction,
    reports::{ChangeReport, FindReports, Report, ReportList},
};
use serde_json::json;

use crate::{
    App, Caller, Refusal,
    mail::reset_url,
    news::Word,
    profiles,
    reports::note_closed,
    rooms,
    store::{AccountChange, As},
    token::bearer::{bearer_hash, random_text},
};

/// Makes sure that the caller is a server admin now.
///
/// # Errors
/// `forbidden`.
pub async fn check(app: &App, caller: &Caller) -> Result<(), Refusal> {
    let is_named = app.settings.admins.contains(&caller.user.username);
    if is_named || app.store.is_admin(caller.user.id).await? {
        Ok(())
    } else {
        Err(ErrorCode::Forbidden.into())
    }
}

/// Finds accounts.
///
/// # Errors
/// `forbidden`; `validation_failed` for a cursor that no page ended with.
pub async fn accounts(
    app: &App,
    caller: &Caller,
    find: &FindAccounts,
) -> Result<AccountList, Refusal> {
    check(app, caller).await?;
    let (admins, now) = (&app.settings.admins, app.clock.now());
    Ok(app.store.accounts(find, admins, now).await?)
}

/// One account.
///
/// # Errors
/// `forbidden`, `user_not_found`.
pub async fn account(app: &App, caller: &Caller, user: UserId) -> Result<Account, Refusal> {
    check(app, caller).await?;
    read_account(app, user).await
}

async fn read_account(app: &App, user: UserId) -> Result<Account, Refusal> {
    let (admins, now) = (&app.settings.admins, app.clock.now());
    Ok(app.store.account(user, admins, now).await?)
}

/// Changes an account. Who is suspended by it is logged out everywhere.
///
/// # Errors
/// `user_not_found`, `last_admin`, `forbidden` for who would suspend themselves or one whom the settings make a
/// server admin.
pub async fn change_account(
    app: &App,
    caller: &Caller,
    user: UserId,
    wish: &ChangeAccount,
) -> Result<Account, Refusal> {
    check(app, caller).await?;
    let before = read_account(app, user).await?;
    let suspends = wish.suspended == Some(true);
    if suspends && (user == caller.user.id || before.admin_by_settings) {
        return Err(ErrorCode::Forbidden.into());
    }
    let change = AccountChange {
        user,
        wish,
        admins: &app.settings.admins,
        at: app.clock.now(),
    };
    let revoked = app.store.administer_account(&change).await?;
    app.revocations.spread(&revoked).await;
    let after = read_account(app, user).await?;
    if before.display_name != after.display_name {
        profiles::tell(app, &app.store.user(user).await?).await;
    }
    for action in done(&before, &after) {
        let data = match action {
            AuditAction::UserSuspend => json!({ "reason": after.suspended_reason }),
            _ => json!({}),
        };
        app.audit(caller, action, Some(user.to_string()), data)
            .await;
    }
    Ok(after)
}

/// What a change of an account was.
fn done(before: &Account, after: &Account) -> Vec<AuditAction> {
    let mut done = Vec::new();
    match (before.suspended_at, after.suspended_at) {
        (None, Some(_)) => done.push(AuditAction::UserSuspend),
        (Some(_), None) => done.push(AuditAction::UserRestore),
        _ => {}
    }
    match (before.admin, after.admin) {
        (false, true) => done.push(AuditAction::AdminGrant),
        (true, false) => done.push(AuditAction::AdminRevoke),
        _ => {}
    }
    if before.display_name != after.display_name {
        done.push(AuditAction::UserChange);
    }
    done
}

/// Takes an account's password away, and gives the link by which its owner chooses another.
///
/// # Errors
/// `forbidden`, also for one whom the settings make a server admin; `user_not_found`.
pub async fn reset(app: &App, caller: &Caller, user: UserId) -> Result<ResetLink, Refusal> {
    check(app, caller).await?;
    if read_account(app, user).await?.admin_by_settings && user != caller.user.id {
        return Err(ErrorCode::Forbidden.into());
    }
    let token = random_text();
    let expires_at = app.clock.now().after(app.settings.reset_token);
    let revoked = app
        .store
        .take_password(user, &bearer_hash(&token), expires_at)
        .await?;
    app.revocations.spread(&revoked).await;
    let target = Some(user.to_string());
    app.audit(caller, AuditAction::UserReset, target, json!({}))
        .await;
    Ok(ResetLink {
        url: reset_url(app.settings.public_base(), &token),
        token,
        expires_at,
    })
}

/// Finds rooms.
///
/// # Errors
/// `forbidden`; `validation_failed` for a cursor that no page ended with.
pub async fn rooms(
    app: &App,
    caller: &Caller,
    find: &FindAdminRooms,
) -> Result<AdminRoomList, Refusal> {
    check(app, caller).await?;
    Ok(app.store.admin_rooms(find).await?)
}

/// Changes a room.
///
/// # Errors
/// `forbidden`, `room_not_found`, `user_not_found` of who cannot be its owner, `conflict` for a conversation.
pub async fn change_room(
    app: &App,
    caller: &Caller,
    room: RoomId,
    wish: ChangeAdminRoom,
) -> Result<AdminRoom, Refusal> {
    check(app, caller).await?;
    let (by, now) = (caller.user.id, app.clock.now());
    if wish.restored {
        rooms::restore_as(app, caller, room, As::ServerAdmin).await?;
    }
    if let Some(owner) = wish.owner {
        let events = app.store.give_room(room, by, owner, now).await?;
        if let Some(event) = events.last() {
            app.hints.hint(room, event.seq).await;
            let added = Word::RoomAdded { room };
            app.news.tell(vec![owner], added).await;
            let data = json!({ "owner": owner });
            note(app, caller, AuditAction::RoomOwner, room, data).await;
        }
    }
    if let Some(archived) = wish.archived {
        let event = app.store.archive_room(room, by, archived, now).await?;
        if let Some(event) = event {
            app.hints.hint(room, event.seq).await;
            let data = json!({ "archived": archived });
            note(app, caller, AuditAction::RoomChange, room, data).await;
            if !archived {
                rooms::tell_members(app, room).await?;
            }
        }
    }
    Ok(app.store.admin_room(room).await?)
}

/// Deletes a room for everybody. Only server admins restore it.
///
/// # Errors
/// `forbidden`, `room_not_found`, `conflict` for a conversation.
pub async fn delete_room(app: &App, caller: &Caller, room: RoomId) -> Result<(), Refusal> {
    check(app, caller).await?;
    rooms::delete_as(app, caller, room, As::ServerAdmin).await
}

/// The reports of all rooms.
///
/// # Errors
/// `forbidden`; `validation_failed` for a cursor that no page ended with.
pub async fn reports(
    app: &App,
    caller: &Caller,
    find: &FindReports,
) -> Result<ReportList, Refusal> {
    check(app, caller).await?;
    Ok(app.store.reports(find).await?)
}

/// Says what became of a report.
///
/// # Errors
/// `forbidden`, `report_not_found`.
pub async fn change_report(
    app: &App,
    caller: &Caller,
    report: ReportId,
    wish: ChangeReport,
) -> Result<Report, Refusal> {
    check(app, caller).await?;
    let (by, now) = (caller.user.id, app.clock.now());
    let report = app.store.close_report(report, by, wish.state, now).await?;
    note_closed(app, caller, &report).await;
    Ok(report)
}

/// What is stored.
///
/// # Errors
/// `forbidden`.
pub async fn storage(app: &App, caller: &Caller) -> Result<Storage, Refusal> {
    check(app, caller).await?;
    Ok(app.store.storage().await?)
}

async fn note(
    app: &App,
    caller: &Caller,
    action: AuditAction,
    room: RoomId,
    data: serde_json::Value,
) {
    app.audit(caller, action, Some(room.to_string()), data)
        .await;
}
