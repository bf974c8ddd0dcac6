//! Where mail goes: to an SMTP server, or, while developing, into a directory.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        self,
        client::{Certificate, Tls, TlsParameters},
    },
};
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::{Settings, trust::Trust};

/// A way for mail. Cloning gives the same.
#[derive(Clone)]
pub struct Post {
    pub(super) from: Mailbox,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Directory(PathBuf),
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
}

/// How long an SMTP server may take for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Mails hold tokens: they are for their owner's eyes only.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIRECTORY: u32 = 0o700;

/// Why `CHATX_MAIL` or `CHATX_MAIL_FROM` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is no url of an SMTP server.
    #[error("CHATX_MAIL: {0}")]
    Url(#[source] smtp::Error),
    /// It is no address.
    #[error("CHATX_MAIL_FROM: {0}")]
    From(#[source] lettre::address::AddressError),
}

/// Why a mail is not on its way.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSent {
    #[error(transparent)]
    Smtp(#[from] smtp::Error),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

impl NotSent {
    /// Whether it is of no use to try again.
    pub(super) fn is_for_good(&self) -> bool {
        matches!(self, Self::Smtp(error) if error.is_permanent())
    }
}

impl Post {
    /// The way that the settings name; none, if this process sends no mail.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn new(settings: &Settings, trust: &Trust) -> Result<Option<Self>, Unusable> {
        let Some(mail) = settings.mail.as_ref().map(ExposeSecret::expose_secret) else {
            return Ok(None);
        };
        if mail == "off" {
            return Ok(None);
        }
        let way = match mail.strip_prefix("dir:") {
            // A relative path is below the data directory, an absolute one replaces it.
            Some(path) => Way::Directory(settings.data_dir.join(path)),
            None => Way::Smtp(smtp(mail, trust).map_err(Unusable::Url)?),
        };
        let from = if settings.mail_from.is_empty() {
            default_sender(&settings.public_url)
        } else {
            settings.mail_from.clone()
        };
        let from = from.parse().map_err(Unusable::From)?;
        Ok(Some(Self { from, way }))
    }

    pub(super) async fn send(&self, id: Uuid, message: Message) -> Result<(), NotSent> {
        match &self.way {
            Way::Smtp(transport) => {
                transport.send(message).await?;
                Ok(())
            }
            Way::Directory(directory) => {
                let path = directory.join(format!("{id}.eml"));
                let written = write(directory, &path, message.formatted()).await;
                written.map_err(|source| NotSent::File { path, source })
            }
        }
    }
}

/// The server of this url. The library reads from it how TLS begins, and here it is told whom else to believe.
fn smtp(url: &str, trust: &Trust) -> Result<AsyncSmtpTransport<Tokio1Executor>, smtp::Error> {
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?;
    let host = url.parse::<http::Uri>().ok();
    let host = host.as_ref().and_then(http::Uri::host);
    let begins: Option<fn(TlsParameters) -> Tls> = if url.starts_with("smtps://") {
        Some(Tls::Wrapper)
    } else if url.contains("tls=required") {
        Some(Tls::Required)
    } else if url.contains("tls=opportunistic") {
        Some(Tls::Opportunistic)
    } else {
        None
    };
    if let (Some(host), Some(begins)) = (host, begins) {
        let mut parameters = TlsParameters::builder(host.to_owned());
        for ca in trust.added() {
            parameters = parameters.add_root_certificate(Certificate::from_der(ca.to_vec())?);
        }
        transport = transport.tls(begins(parameters.build()?));
    }
    Ok(transport.timeout(Some(ANSWER_WITHIN)).build())
}

/// Whoever sees the file sees all of it.
async fn write(directory: &Path, path: &Path, bytes: Vec<u8>) -> io::Result<()> {
    let unfinished = path.with_extension("part");
    let mut builder = tokio::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(PRIVATE_DIRECTORY);
    builder.create(directory).await?;
    let mut options = tokio::fs::OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    options.mode(PRIVATE_FILE);
    let mut file = options.open(&unfinished).await?;
    tokio::io::AsyncWriteExt::write_all(&mut file, &bytes).await?;
    file.sync_all().await?;
    drop(file);
    tokio::fs::rename(&unfinished, path).await
}

/// `chatx@` the host of the public url, or of the machine itself where that is no name.
fn default_sender(public_url: &str) -> String {
    let uri = public_url.parse::<http::Uri>().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    let is_name = host.contains('.')
        && host.chars().any(|c| c.is_ascii_alphabetic())
        && !host.starts_with('[');
    let host = if is_name { host } else { "localhost" };
    format!("ChatX <chatx@{host}>")
}

/// Whether `text` names a way for mail.
pub(crate) fn check(text: &str) -> Result<(), String> {
    if text == "off"
        || text
            .strip_prefix("dir:")
            .is_some_and(|path| !path.is_empty())
    {
        return Ok(());
    }
    let is_plain = text.starts_with("smtp://") && !text.contains("tls=required");
    let has_password = text
        .split_once("://")
        .and_then(|(_, rest)| rest.split('/').next())
        .is_some_and(|authority| authority.contains('@'));
    if !text.starts_with("smtp://") && !text.starts_with("smtps://") {
        Err("is none of `dir:…`, `smtp://…`, `smtps://…` and `off`".to_owned())
    } else if is_plain && has_password {
        Err(
            "would send a password that anyone can read: use `smtps://…`, or add `?tls=required`"
                .to_owned(),
        )
    } else if AsyncSmtpTransport::<Tokio1Executor>::from_url(text).is_err() {
        Err("is no url like smtps://user:password@mail.example.com".to_owned())
    } else {
        Ok(())
    }
}

/// Whether `text` is somebody who can send mail.
pub(crate) fn check_sender(text: &str) -> Result<(), String> {
    text.parse::<Mailbox>()
        .map(drop)
        .map_err(|_| "is no address like ChatX <chat@example.com>".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_goes_over_a_plain_connection() {
        for url in [
            "off",
            "dir:mail",
            "smtp://relay:25",
            "smtps://a:b@c.example",
            "smtp://a:b@c.example?tls=required",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for url in [
            "",
            "dir:",
            "smtp://a:b@c.example",
            "http://c.example",
            "smtp://a:b@c.example?tls=opportunistic",
        ] {
            assert!(check(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_sender_is_of_the_host_that_people_know() {
        assert_eq!(
            default_sender("https://chat.example.com:8443/"),
            "ChatX <chatx@chat.example.com>"
        );
        for url in ["http://127.0.0.1:8080", "http://[::1]:1", ""] {
            assert_eq!(default_sender(url), "ChatX <chatx@localhost>");
        }
    }
}
