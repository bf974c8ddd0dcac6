//! What tests of the store stand on: a fresh database of either engine, people, and short words for
//! what they do.

use std::time::Duration;

use protocol::{
    ErrorCode, FileId, Limits, RoomId, Seq, Timestamp, UserId,
    accounts::UserSummary,
    files::FileName,
    marks::React,
    rooms::{CreateRoom, HistoryVisibility, Room, Visibility},
    text::{ClientId, Emoji, MessageBody, RoomName, RoomPassword, Topic},
};
use shared::{
    Clock,
    store::{
        self, Append, Appended, Entry, Joined, NewAccount, NewFile, NewRoom, NewSession, Place,
        ResumeFrom, Store, StoreOptions,
    },
};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

/// A fresh, migrated database, and a clock that stands still until it is moved.
pub(crate) struct Ground {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    url: String,
    kept: Kept,
}

enum Kept {
    Postgres(testkit::Database),
    Sqlite(#[expect(dead_code, reason = "the directory is removed with it")] tempfile::TempDir),
}

/// Mounts every test of a suite on both engines.
macro_rules! on_both_engines {
    ($($test:ident),* $(,)?) => {
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() -> anyhow::Result<()> {
                super::$test($crate::ground::Ground::postgres().await?).await
            })*
        }
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() -> anyhow::Result<()> {
                super::$test($crate::ground::Ground::sqlite().await?).await
            })*
        }
    };
}

pub(crate) use on_both_engines;

impl Ground {
    pub(crate) async fn postgres() -> anyhow::Result<Self> {
        let database = testkit::Database::fresh().await?;
        Self::at(database.url(), Kept::Postgres(database)).await
    }

    pub(crate) async fn sqlite() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let url = format!("sqlite:{}", directory.path().join("chatx.db").display());
        Self::at(url, Kept::Sqlite(directory)).await
    }

    /// On a server of the test's own.
    pub(crate) async fn on_server(server_url: &str) -> anyhow::Result<Self> {
        let database = testkit::Database::fresh_on(server_url).await?;
        Self::at(database.url(), Kept::Postgres(database)).await
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Runs a statement beside the store.
    pub(crate) async fn execute(&self, statement: &'static str) -> anyhow::Result<()> {
        match &self.kept {
            Kept::Postgres(_) => {
                PgConnection::connect(&self.url)
                    .await?
                    .execute(statement)
                    .await?;
            }
            Kept::Sqlite(_) => {
                SqliteConnection::connect(&self.url)
                    .await?
                    .execute(statement)
                    .await?;
            }
        }
        Ok(())
    }

    pub(crate) fn database_name(&self) -> &str {
        match &self.kept {
            Kept::Postgres(database) => database.name(),
            Kept::Sqlite(_) => "",
        }
    }

    async fn at(url: String, kept: Kept) -> anyhow::Result<Self> {
        let clock = Clock::manual(Timestamp::from_unix_ms(1_763_800_000_000));
        let store = Store::connect(&url, &StoreOptions::default()).await?;
        store.migrate().await?;
        Ok(Self {
            store,
            clock,
            url,
            kept,
        })
    }

    /// The same database through connections of its own, as another node has them.
    pub(crate) async fn another_store(&self) -> anyhow::Result<Store> {
        self.another_store_with(&StoreOptions::default()).await
    }

    pub(crate) async fn another_store_with(&self, options: &StoreOptions) -> anyhow::Result<Store> {
        Ok(Store::connect(&self.url, options).await?)
    }

    /// An account.
    pub(crate) async fn person(&self, name: &str) -> anyhow::Result<UserSummary> {
        let at = self.clock.now();
        let account = NewAccount {
            id: self.clock.id(),
            username: name.to_owned(),
            email: format!("{name}@example.com"),
            display_name: name.to_owned(),
            password_hash: String::from("-"),
            at,
        };
        let session = NewSession {
            id: self.clock.id(),
            user: account.id,
            device: String::new(),
            ip: [127, 0, 0, 1].into(),
            at,
            expires_at: at.after(Duration::from_secs(60)),
        };
        self.store.create_account(&account, &session).await?;
        Ok(UserSummary {
            id: account.id,
            username: name.to_owned(),
            display_name: name.to_owned(),
        })
    }

    /// Accounts of these names.
    pub(crate) async fn people<const N: usize>(
        &self,
        names: [&str; N],
    ) -> anyhow::Result<[UserSummary; N]> {
        let mut people = Vec::with_capacity(N);
        for name in names {
            people.push(self.person(name).await?);
        }
        Ok(people.try_into().expect("as many people as names"))
    }

    /// Somebody joins an open room.
    pub(crate) async fn join(&self, room: RoomId, user: &UserSummary) -> store::Result<Joined> {
        self.store
            .join(room, user.id, &Entry::Open, self.clock.now())
            .await
    }

    /// A public room.
    pub(crate) async fn room(&self, owner: &UserSummary, name: &str) -> anyhow::Result<Room> {
        Ok(self.create(owner, public(name)).await?)
    }

    pub(crate) async fn create(
        &self,
        owner: &UserSummary,
        create: CreateRoom,
    ) -> store::Result<Room> {
        let password_hash = create
            .password
            .as_ref()
            .map(|password| format!("hash of {}", password.as_str()));
        let new = NewRoom {
            id: self.clock.id(),
            create,
            password_hash,
            owner: owner.id,
            at: self.clock.now(),
        };
        self.store.create_room(&new).await
    }

    /// A message that is to be sent now.
    pub(crate) fn message(&self, room: RoomId, user: UserId, client_id: &str) -> Append {
        Append {
            room,
            id: self.clock.id(),
            user,
            client_id: ClientId::parse(client_id).unwrap(),
            body: body(&format!("says {client_id}")),
            reply_to: None,
            thread: None,
            files: Vec::new(),
            at: self.clock.now(),
        }
    }

    /// Says something.
    pub(crate) async fn say(
        &self,
        room: RoomId,
        user: &UserSummary,
        text: &str,
    ) -> anyhow::Result<Place> {
        let name = self.clock.id::<protocol::ids::OfEvent>().to_string();
        let entry = Append {
            body: body(text),
            ..self.message(room, user.id, &name)
        };
        match self.append(entry).await? {
            Appended::Stored(place) => Ok(place),
            other => anyhow::bail!("not stored: {other:?}"),
        }
    }

    /// Uploads a file, as far as the store knows of it.
    pub(crate) async fn file(&self, room: RoomId, user: &UserSummary) -> anyhow::Result<FileId> {
        let new = NewFile {
            id: self.clock.id(),
            room,
            user: user.id,
            name: FileName::of("tea.txt"),
            mime: "text/plain".to_owned(),
            size: 4,
            pixels: None,
            thumbnail: None,
            at: self.clock.now(),
        };
        self.store.expect_file(&new).await?;
        self.store.keep_file(new.id, self.clock.now()).await?;
        Ok(new.id)
    }

    /// Sends one message and says where it stands.
    pub(crate) async fn send(
        &self,
        room: RoomId,
        user: &UserSummary,
        client_id: &str,
    ) -> anyhow::Result<Place> {
        match self.append(self.message(room, user.id, client_id)).await? {
            Appended::Stored(place) => Ok(place),
            other => anyhow::bail!("not stored: {other:?}"),
        }
    }

    pub(crate) async fn append(&self, entry: Append) -> store::Result<Appended> {
        Ok(self.store.append(&[entry]).await?.remove(0))
    }

    /// Everything in a room's log.
    pub(crate) async fn log(&self, room: RoomId) -> store::Result<Vec<protocol::events::Event>> {
        self.store.events(room, Seq::ZERO, u32::MAX).await
    }
}

pub(crate) fn public(name: &str) -> CreateRoom {
    CreateRoom {
        name: room_name(name),
        topic: Topic::default(),
        visibility: Visibility::Public,
        password: None,
        max_members: 100,
        history: HistoryVisibility::All,
    }
}

pub(crate) fn room_name(name: &str) -> RoomName {
    RoomName::parse(name, &Limits::default()).unwrap()
}

pub(crate) fn password(text: &str) -> RoomPassword {
    RoomPassword::parse(text, &Limits::default()).unwrap()
}

pub(crate) fn body(text: &str) -> MessageBody {
    MessageBody::parse(text.to_owned(), &Limits::default()).unwrap()
}

/// Somebody who comes to a room with nothing.
pub(crate) const fn latest(room: RoomId, user: UserId) -> ResumeFrom {
    ResumeFrom {
        room,
        user,
        after: None,
        after_id: None,
        limit: 50,
    }
}

/// A reaction.
pub(crate) fn react(seq: Seq, emoji: &str) -> React {
    React {
        seq,
        emoji: Emoji::parse(emoji).unwrap(),
    }
}

/// The code that something was refused with.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: store::Result<T>) -> ErrorCode {
    match answer {
        Err(store::Error::Refused(refusal)) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}
