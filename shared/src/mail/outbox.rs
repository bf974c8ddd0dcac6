//! Sends the mail that the store has, until it is gone: what was asked for is sent at least once, whichever process dies, or
//! given up in sight of everybody.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{
    Errand, Mail, Post,
    letter::{Unwritable, letter},
    post::NotSent,
    words::{self, Words},
};
use crate::{
    App,
    store::{self, DueMail, MailedFor, Recipient},
    token::bearer::bearer_hash,
};

/// How often the store is asked for mail that another process put there.
const EVERY: Duration = Duration::from_secs(2);
/// How many are taken at once.
const AT_ONCE: u32 = 8;
/// Who takes a mail has this long to send it before somebody else does.
const LEASE: Duration = Duration::from_secs(120);
/// The wait after the first failure; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(15);
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Sends until `cancel`. Several nodes may do it at once: each mail is with one of them.
pub async fn run(app: App, post: Post, cancel: CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = app.new_mail.notified() => {}
            _ = tick.tick() => {}
        }
        let sent = tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            sent = send_due(&app, &post) => sent,
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "the mail cannot be asked for, trying again");
        }
    }
}

/// Tries everything that is due, and says how many were sent.
///
/// # Errors
/// When the store cannot answer.
pub async fn send_due(app: &App, post: &Post) -> store::Result<usize> {
    let mut sent = 0;
    loop {
        let now = app.clock.now();
        if !app.store.has_due_mail(now).await? {
            return Ok(sent);
        }
        for due in app.store.take_mails(now, now.after(LEASE), AT_ONCE).await? {
            let outcome = deliver(app, post, &due).await;
            sent += usize::from(matches!(outcome, Ok(Delivery::Sent)));
            settle(app, &due, outcome).await?;
        }
    }
}

enum Delivery {
    Sent,
    /// There is nobody to write to, or nothing to say any more.
    Needless,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("it was sealed under another cluster secret")]
    Sealed,
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    #[error(transparent)]
    NotSent(#[from] NotSent),
}

impl Failure {
    fn is_for_good(&self) -> bool {
        match self {
            Self::Sealed | Self::Store(_) => false,
            Self::Unwritable(_) => true,
            Self::NotSent(error) => error.is_for_good(),
        }
    }
}

async fn deliver(app: &App, post: &Post, due: &DueMail) -> Result<Delivery, Failure> {
    let mail = Mail::open(due.id, &due.sealed, &app.secrets).ok_or(Failure::Sealed)?;
    let Some((to, words)) = addressed(app, &mail).await? else {
        return Ok(Delivery::Needless);
    };
    let message = letter(due.id, &post.from, &to, &words, due.created_at)?;
    post.send(due.id, message).await?;
    Ok(Delivery::Sent)
}

/// To whom it goes, and what it says. Its token is good from here on.
async fn addressed(app: &App, mail: &Mail) -> store::Result<Option<(String, Words)>> {
    let page = &mail.page;
    match &mail.errand {
        Errand::Verify { user, email, token } => {
            let to = app.store.recipient(*user).await?;
            let Some(to) = to.filter(|to| to.email == *email && !to.is_verified) else {
                return Ok(None);
            };
            let life = app.settings.verify_token;
            keep(app, &to, token, MailedFor::Verify, life).await?;
            let words = words::verify(&to.username, page, token, life);
            Ok(Some((to.email, words)))
        }
        Errand::Reset {
            username,
            email,
            token,
        } => {
            let limits = &app.settings.limits;
            let login = Errand::login(username.as_deref(), email.as_deref(), limits);
            let Some(to) = app.store.recipient_of(&login).await? else {
                return Ok(None);
            };
            let life = app.settings.reset_token;
            keep(app, &to, token, MailedFor::Reset, life).await?;
            let words = words::reset(&to.username, page, token, life);
            Ok(Some((to.email, words)))
        }
        Errand::Moved { username, email } => {
            Ok(Some((email.clone(), words::moved(username, page))))
        }
    }
}

async fn keep(
    app: &App,
    to: &Recipient,
    token: &str,
    purpose: MailedFor,
    life: Duration,
) -> store::Result<()> {
    let expires_at = app.clock.now().after(life);
    app.store
        .keep_mailed_token(&bearer_hash(token), to, purpose, expires_at)
        .await
}

async fn settle(app: &App, due: &DueMail, outcome: Result<Delivery, Failure>) -> store::Result<()> {
    let failure = match outcome {
        Ok(delivery) => {
            if matches!(delivery, Delivery::Sent) {
                metrics::counter!("chatx_mails_total", "outcome" => "sent").increment(1);
                tracing::info!(mail.id = %due.id, attempts = due.attempts, "mail sent");
            }
            return app.store.forget_mail(due.id).await;
        }
        Err(failure) => failure,
    };
    let now = app.clock.now();
    let is_too_late = now.since(due.created_at) >= app.settings.mail_retry;
    let attempts = due.attempts;
    if failure.is_for_good() || is_too_late {
        metrics::counter!("chatx_mails_total", "outcome" => "given_up").increment(1);
        tracing::error!(mail.id = %due.id, attempts, error = %failure, "mail given up");
        return app
            .store
            .put_off_mail(due.id, None, &failure.to_string())
            .await;
    }
    let wait = FIRST_WAIT
        .saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)))
        .min(LONGEST_WAIT);
    metrics::counter!("chatx_mails_total", "outcome" => "put_off").increment(1);
    let wait_s = wait.as_secs();
    tracing::warn!(mail.id = %due.id, attempts, wait_s, error = %failure, "mail not sent, trying again");
    app.store
        .put_off_mail(due.id, Some(now.after(wait)), &failure.to_string())
        .await
}
