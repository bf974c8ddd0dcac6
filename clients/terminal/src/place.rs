//! Where a person's sessions are kept on this machine: one directory for each server, readable by
//! nobody else. What the tokens mean is not its concern.

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use client::{Client, Keep, Kept, Saved, Session, Settings};
use protocol::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::exit::{Misused, SignedOut};

/// Tells the time; passed in by whoever starts the program.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where `chatx serve` listens unless it is told otherwise.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// The directory of one person, `$XDG_DATA_HOME/chatx`.
#[derive(Clone)]
pub(crate) struct Place {
    directory: PathBuf,
    now: Now,
}

/// What is kept about one server.
#[derive(Clone)]
pub(crate) struct ServerPlace {
    /// The server's url.
    pub(crate) url: String,
    directory: PathBuf,
    now: Now,
}

impl Place {
    pub(crate) fn of_user(now: Now) -> Result<Self> {
        let set = |name: &str| {
            env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let data =
            set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
        let directory =
            data.context("neither XDG_DATA_HOME nor HOME says where to keep a session")?;
        let directory = directory.join("chatx");
        Ok(Self { directory, now })
    }

    /// The server that is meant: the one that is named, or the one of the last login.
    pub(crate) fn server(&self, named: Option<&str>) -> Result<ServerPlace> {
        let url = match named {
            Some(named) => normal(named)?,
            None => self.last()?.unwrap_or_else(|| DEFAULT_SERVER.to_owned()),
        };
        let directory = self.directory.join(file_name(&url));
        let now = Arc::clone(&self.now);
        Ok(ServerPlace {
            url,
            directory,
            now,
        })
    }

    /// The server of the last login.
    fn last(&self) -> Result<Option<String>> {
        match fs::read_to_string(self.directory.join("server")) {
            Ok(url) => normal(url.trim()).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a server the one that is meant when none is named.
    pub(crate) fn prefer(&self, server: &ServerPlace) -> Result<()> {
        private_directory(&self.directory)?;
        replace(&self.directory.join("server"), server.url.as_bytes())?;
        Ok(())
    }
}

impl ServerPlace {
    /// A client of the server.
    pub(crate) fn client(&self, settings: Settings) -> Result<Client> {
        Ok(Client::with(&self.url, settings)?)
    }

    /// Goes on with the session that is kept.
    pub(crate) async fn session(&self, settings: Settings) -> Result<Session> {
        let kept = self.client(settings)?.resume_kept(self.keep()).await?;
        let server = self.url.clone();
        kept.ok_or_else(|| SignedOut { server }.into())
    }

    /// Where the session is kept.
    pub(crate) fn keep(&self) -> Arc<dyn Keep> {
        Arc::new(self.clone())
    }

    /// Forgets the session.
    pub(crate) fn forget(&self) -> Result<()> {
        match fs::remove_file(self.file("session.json")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// What was kept under a name, if anything that can be read.
    pub(crate) fn recall<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let text = fs::read(self.file(name)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Keeps something under a name, whole or not at all.
    pub(crate) fn remember(&self, name: &str, what: &impl Serialize) -> io::Result<()> {
        private_directory(&self.directory)?;
        replace(&self.file(name), &serde_json::to_vec(what)?)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Keep for ServerPlace {
    fn now(&self) -> Timestamp {
        (self.now)()
    }

    fn lock(&self) -> io::Result<Box<dyn Kept>> {
        private_directory(&self.directory)?;
        // The session's own file is replaced at each renewal, and with it any lock on it.
        let lock = private_file().open(self.file("lock"))?;
        lock.lock()?;
        Ok(Box::new(Locked {
            file: self.file("session.json"),
            _lock: lock,
        }))
    }
}

/// The file of a session, while nobody else reads or writes it.
struct Locked {
    file: PathBuf,
    _lock: fs::File,
}

impl Kept for Locked {
    fn read(&mut self) -> io::Result<Option<Saved>> {
        let mut text = Vec::new();
        match fs::File::open(&self.file) {
            Ok(mut file) => file.read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(serde_json::from_slice(&text)?))
    }

    fn write(&mut self, saved: &Saved) -> io::Result<()> {
        replace(&self.file, &serde_json::to_vec(saved)?)
    }
}

/// Puts `bytes` in the place of a file, so that there is the old or the new one at any moment.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = private_file().truncate(true).open(&next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&next, path)
}

fn private_file() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

fn private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// The url of a server as people may write it: `chat.example.com` is `https://chat.example.com`, and
/// what is on this machine needs no TLS.
fn normal(named: &str) -> Result<String> {
    let named = named.trim().trim_end_matches('/');
    if named.is_empty() {
        bail!(Misused(
            "a server has a url, like https://chat.example.com".to_owned()
        ));
    }
    let lower = named.to_ascii_lowercase();
    if lower.starts_with("https://") || lower.starts_with("http://") {
        return Ok(named.to_owned());
    }
    let is_here = ["localhost", "127.", "[::1]"]
        .iter()
        .any(|host| lower.starts_with(host));
    Ok(format!(
        "{}://{named}",
        if is_here { "http" } else { "https" }
    ))
}

/// A url as the name of a directory.
fn file_name(url: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let mut name = String::new();
    for c in url.chars() {
        match c {
            c if is_plain(c) => name.push(c),
            c => name.push_str(&format!("_{:x}", u32::from(c))),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use protocol::UserId;

    use super::*;

    #[test]
    fn a_session_is_kept_for_its_owner_alone_and_servers_do_not_mix() {
        let home = tempfile::tempdir().unwrap();
        let place = Place {
            directory: home.path().join("deep/chatx"),
            now: Arc::new(Timestamp::default),
        };
        let (here, there) = (
            place.server(None).unwrap(),
            place.server(Some("chat.example.com/")).unwrap(),
        );
        assert_eq!(
            (here.url.as_str(), there.url.as_str()),
            (DEFAULT_SERVER, "https://chat.example.com")
        );
        let saved = Saved {
            user: UserId::from_uuid(uuid::Uuid::from_u128(1)),
            username: "ada".to_owned(),
            access_token: "a".to_owned(),
            expires_at: Timestamp::default(),
            refresh_token: "r".to_owned(),
        };
        here.lock().unwrap().write(&saved).unwrap();
        assert_eq!(here.lock().unwrap().read().unwrap(), Some(saved));
        assert!(there.lock().unwrap().read().unwrap().is_none());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&here.file("session.json")), 0o600);
        assert_eq!(mode(&here.directory), 0o700);
        place.prefer(&there).unwrap();
        assert_eq!(place.server(None).unwrap().url, there.url);
        here.forget().unwrap();
        here.forget().unwrap();
        assert!(here.lock().unwrap().read().unwrap().is_none());
    }

    #[test]
    fn no_two_urls_share_a_directory() {
        let names = [
            "http://a/b",
            "http://a_b",
            "http://a.b",
            "https://a/b",
            "http://a_2fb",
        ]
        .map(file_name);
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
        assert!(names.iter().all(|name| !name.contains('/')));
    }
}
