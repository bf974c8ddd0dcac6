//! Mail to people: what it is about, kept sealed in the store until it is sent. What it says is in `words`, where it goes is
//! `post`'s to know, and `outbox` sees to it that it gets there.

mod letter;
mod outbox;
mod post;
mod words;

use protocol::{
    Timestamp, UserId,
    accounts::LoginName,
    text::{EmailAddress, Username},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    App,
    store::NewMail,
    token::{Secrets, bearer::random_text},
};

pub use outbox::{run, send_due};
pub use post::{Post, Unusable};
pub(crate) use post::{check, check_sender};

/// What a mail is about. Nothing of it is looked up before it is sent, so that asking for a mail costs the same whoever is asked
/// about.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub(crate) enum Errand {
    /// Showing that `email` is the address of `user`.
    Verify {
        user: UserId,
        email: String,
        token: String,
    },
    /// Choosing a new password for the account that has this username or this address, if there is one.
    Reset {
        username: Option<String>,
        email: Option<String>,
        token: String,
    },
    /// That the account whose address this was has another one now.
    Moved { username: String, email: String },
}

/// A mail before it is sealed: what it is about, and where its links lead.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Mail {
    pub(crate) errand: Errand,
    /// The page of the process that was asked, which is the one that people use.
    pub(crate) page: String,
}

/// What the seal of a mail is bound to, beside its id.
const SEAL: &str = "mail";

impl Mail {
    fn seal(&self, id: Uuid, secrets: &Secrets) -> Vec<u8> {
        let plain = serde_json::to_vec(self).expect("a mail is JSON");
        secrets.seal(&format!("{SEAL} {id}"), &plain)
    }

    pub(crate) fn open(id: Uuid, sealed: &[u8], secrets: &Secrets) -> Option<Self> {
        let plain = secrets.open(&format!("{SEAL} {id}"), sealed)?;
        serde_json::from_slice(&plain).ok()
    }
}

impl App {
    /// A mail by which `user` shows that `email` is theirs.
    pub fn mail_to_verify(&self, user: UserId, email: &EmailAddress) -> NewMail {
        self.mail(Errand::Verify {
            user,
            email: email.as_str().to_owned(),
            token: random_text(),
        })
    }

    /// A mail to choose a new password with, should `login` be somebody.
    pub fn mail_to_reset(&self, login: &LoginName) -> NewMail {
        let (username, email) = match login {
            LoginName::Username(username) => (Some(username.as_str().to_owned()), None),
            LoginName::Email(email) => (None, Some(email.as_str().to_owned())),
            LoginName::Nobody => (None, None),
        };
        let token = random_text();
        self.mail(Errand::Reset {
            username,
            email,
            token,
        })
    }

    /// A mail to the address that an account had.
    pub fn mail_to_former(&self, username: &str, email: &str) -> NewMail {
        self.mail(Errand::Moved {
            username: username.to_owned(),
            email: email.to_owned(),
        })
    }

    fn mail(&self, errand: Errand) -> NewMail {
        let id = self.clock.id::<protocol::ids::OfEvent>().uuid();
        let at: Timestamp = self.clock.now();
        let mail = Mail {
            errand,
            page: self.settings.public_base().to_owned(),
        };
        NewMail {
            id,
            sealed: mail.seal(id, &self.secrets),
            at,
        }
    }
}

/// The link under which the page lets somebody choose another password.
pub fn reset_url(page: &str, token: &str) -> String {
    format!("{page}/#/reset/{token}")
}

impl Errand {
    /// Whose password is to be chosen anew.
    pub(crate) fn login(
        username: Option<&str>,
        email: Option<&str>,
        limits: &protocol::Limits,
    ) -> LoginName {
        let username = username.and_then(|name| Username::parse(name, limits).ok());
        let email = email.and_then(|email| EmailAddress::parse(email, limits).ok());
        match (username, email) {
            (Some(username), _) => LoginName::Username(username),
            (None, Some(email)) => LoginName::Email(email),
            (None, None) => LoginName::Nobody,
        }
    }
}
