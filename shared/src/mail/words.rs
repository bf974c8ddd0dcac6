//! What mails say, in English. Everything that is said is here.

use std::time::Duration;

/// What one mail says. The link, if it has one, stands between `before` and `after`.
pub(super) struct Words {
    pub(super) subject: String,
    pub(super) before: String,
    pub(super) link: Option<Link>,
    pub(super) after: String,
}

/// A link with what it is called.
pub(super) struct Link {
    pub(super) label: &'static str,
    pub(super) url: String,
}

pub(super) fn verify(username: &str, page: &str, token: &str, life: Duration) -> Words {
    Words {
        subject: "Is this your address?".to_owned(),
        before: format!("Hello {username},\n\nplease show that mail to this address reaches you:"),
        link: Some(Link {
            label: "Yes, it is mine",
            url: format!("{page}/#/verify/{token}"),
        }),
        after: format!(
            "The link works once, within {}. If you have no account at {page}, somebody mistyped \
             an address, and you need do nothing.",
            span(life)
        ),
    }
}

pub(super) fn reset(username: &str, page: &str, token: &str, life: Duration) -> Words {
    Words {
        subject: "A new password".to_owned(),
        before: format!(
            "Hello {username},\n\nsomebody, most likely you, asked for a new password at {page}:"
        ),
        link: Some(Link {
            label: "Choose a new password",
            url: super::reset_url(page, token),
        }),
        after: format!(
            "The link works once, within {}, and logs you out everywhere. If it was not you, do nothing: \
             your password stays as it is.",
            span(life)
        ),
    }
}

pub(super) fn moved(username: &str, page: &str) -> Words {
    Words {
        subject: "Your account has another address".to_owned(),
        before: format!(
            "Hello {username},\n\nyour account at {page} has another email address from now on."
        ),
        link: None,
        after: "If that was not you, somebody knows your password: tell those who run the server."
            .to_owned(),
    }
}

fn span(life: Duration) -> String {
    match life.as_secs() {
        seconds if seconds >= 7_200 => format!("{} hours", seconds / 3_600),
        seconds if seconds >= 120 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} seconds"),
    }
}
