//! A mail as it travels: plain text, and the same as simple HTML.

use lettre::{
    Address, Message,
    message::{Mailbox, MultiPart, header},
};
use protocol::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::words::Words;

/// Why a mail cannot be written down; it never will.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwritable {
    #[error("the address is none that mail goes to: {0}")]
    Address(#[from] lettre::address::AddressError),
    #[error(transparent)]
    Message(#[from] lettre::error::Error),
}

/// Writes a mail down. Sent again it has the same id, so that who gets it twice can tell.
pub(super) fn letter(
    id: Uuid,
    from: &Mailbox,
    to: &str,
    words: &Words,
    at: Timestamp,
) -> Result<Message, Unwritable> {
    let to: Address = to.parse()?;
    let message = Message::builder()
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .date(OffsetDateTime::from(at).into())
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(&words.subject)
        // Nobody's out-of-office reply is wanted.
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(plain(words), html(words)))?;
    Ok(message)
}

#[derive(Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn plain(words: &Words) -> String {
    let link = words
        .link
        .as_ref()
        .map(|link| format!("{}\r\n\r\n", link.url));
    let text = format!(
        "{}\r\n\r\n{}{}\r\n",
        words.before,
        link.unwrap_or_default(),
        words.after
    );
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

fn html(words: &Words) -> String {
    let paragraphs = |text: &str| -> String {
        text.split("\n\n")
            .map(|paragraph| format!("<p>{}</p>\r\n", escaped(paragraph)))
            .collect()
    };
    let link = words.link.as_ref().map(|link| {
        let url = escaped(&link.url);
        format!("<p><a href=\"{url}\">{}</a></p>\r\n", escaped(link.label))
    });
    format!(
        "<!doctype html>\r\n<html lang=\"en\"><body style=\"font-family: sans-serif\">\r\n{}{}{}</body></html>\r\n",
        paragraphs(&words.before),
        link.unwrap_or_default(),
        paragraphs(&words.after)
    )
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
