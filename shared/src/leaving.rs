//! Leaving for good, beside the store: the account is closed at once, and what is left of its person is taken
//! away by any node, whoever closed it.

use std::time::Duration;

use protocol::{UserId, accounts::CloseAccount, audit::AuditAction};
use serde_json::json;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{
    App, Caller, Refusal,
    proving::prove,
    store::{self, Leaving, Walk},
};

const EVERY: Duration = Duration::from_secs(2);

/// Closes the caller's account, if they show that it is theirs.
///
/// # Errors
/// `invalid_credentials`, `conflict` if the password was changed at the same time.
pub async fn close(app: &App, caller: &Caller, shown: &CloseAccount) -> Result<(), Refusal> {
    let user = caller.user.id;
    let seen = prove(app, caller, shown.password.as_ref()).await?;
    let revoked = app
        .store
        .close_for_good(user, seen.as_deref(), app.clock.now())
        .await?;
    app.revocations.spread(&revoked).await;
    app.audit(caller, AuditAction::AccountErase, None, json!({}))
        .await;
    tracing::info!(user.id = %user, "somebody left for good");
    Ok(())
}

/// Takes away what is left of those who left, until `cancel`. Any number of nodes may do it at once.
pub async fn run(app: App, cancel: CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            _ = tick.tick() => {}
        }
        let taken = tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            taken = take_away(&app) => taken,
        };
        if let Err(error) = taken {
            tracing::warn!(%error, "something is left of somebody who left, trying again");
        }
    }
}

/// Takes away all that is left of all who left.
///
/// # Errors
/// When the store cannot answer; what is left goes the next time.
pub async fn take_away(app: &App) -> store::Result<()> {
    for leaving in app.store.leavings().await? {
        let user = leaving.user;
        leave_rooms(app, user).await?;
        take_back(app, leaving).await?;
        while let Some((room, seq)) = app.store.unreact_some(user, app.clock.now()).await? {
            app.hints.hint(room, seq).await;
        }
        app.store.forget_leaving(user).await?;
        tracing::info!(user.id = %user, "nothing is left of somebody who left");
    }
    Ok(())
}

async fn leave_rooms(app: &App, user: UserId) -> store::Result<()> {
    while let Some(event) = app.store.leave_next_room(user, app.clock.now()).await? {
        app.hints.hint(event.room, event.seq).await;
    }
    Ok(())
}

async fn take_back(app: &App, leaving: Leaving) -> store::Result<()> {
    let user = leaving.user;
    let mut walk = Walk::behind(leaving.upto);
    while let Some(room) = app.store.next_room_of(user, &mut walk).await? {
        while let Some(seq) = app
            .store
            .take_back_some(room, user, app.clock.now())
            .await?
        {
            app.hints.hint(room, seq).await;
        }
        app.store.note_left(user, room).await?;
    }
    Ok(())
}
