//! Who one is to the server: every HTTP call, each with an access token that is renewed in time.
//! Not responsible for sockets; see `connection`.

mod accounts;
mod bots;
mod client;
mod conversation;
mod files;
mod kept;
mod messages;
mod rooms;
mod tokens;

pub use client::Client;
pub use kept::{Keep, Kept, Saved};
pub use messages::Sent;

use std::{fmt, sync::Arc};

use futures_util::stream::BoxStream;
use hyper::{Method, StatusCode, body::Bytes};
use protocol::{
    ErrorCode, RoomId, UserId,
    accounts::{Me, SignedIn},
    socket::{SocketBody, SocketTicket},
};
use serde::{Serialize, de::DeserializeOwned};
use tokens::Tokens;

pub(crate) use tokens::Access;

use crate::{
    Connection, Error, Result, Settings,
    http::{Answer, Call, Http},
    network::Network,
};

/// One login of one user. Cloning gives the same one; dropping the last clone does not log out, so
/// that [`Session::refresh_token`] can be kept for [`Client::resume`].
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    http: Http,
    settings: Settings,
    user: UserId,
    username: String,
    tokens: Tokens,
}

impl Session {
    fn new(http: Http, settings: Settings, signed_in: &SignedIn) -> Result<Self> {
        let Me { user, .. } = &signed_in.user;
        let inner = Inner {
            user: user.id,
            username: user.username.clone(),
            tokens: Tokens::new(http.clone(), signed_in)?,
            http,
            settings,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Goes on with a session that was kept.
    fn kept(http: Http, settings: Settings, saved: &Saved, keep: Arc<dyn Keep>) -> Self {
        Self(Arc::new(Inner {
            user: saved.user,
            username: saved.username.clone(),
            tokens: Tokens::kept(http.clone(), saved, keep),
            http,
            settings,
        }))
    }

    /// Whose session it is.
    pub fn user(&self) -> UserId {
        self.0.user
    }

    /// That person's unique name, as it was at login.
    pub fn username(&self) -> &str {
        &self.0.username
    }

    /// What resumes this session in another run of the program. It changes with every renewal, and
    /// an older one ends the session: keep the latest, and let one program use it.
    pub async fn refresh_token(&self) -> String {
        self.0.tokens.refresh_token().await
    }

    /// Opens a lasting connection. It connects by itself; see [`Connection::status`].
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn connect(&self) -> Connection {
        Connection::open(self.clone(), self.0.settings.clone())
    }

    /// Where to open a socket, and a pass for it. [`Session::connect`] does this by itself.
    ///
    /// # Errors
    /// As every call; see [`Error`].
    pub async fn socket_ticket(&self, room: Option<RoomId>) -> Result<SocketTicket> {
        let room = room.map(|room| room.to_string());
        self.read(Call::new(Method::POST, "/v1/socket").with(&SocketBody { room }))
            .await
    }

    /// An access token that is good for a while yet.
    pub(crate) async fn access(&self) -> Result<Access> {
        self.0.tokens.access().await
    }

    /// The way to a socket.
    pub(crate) fn network(&self) -> &Network {
        self.0.http.network()
    }

    /// A new access token in the place of one that the server no longer takes.
    pub(crate) async fn renew(&self, stale: &Access) -> Result<Access> {
        self.0.tokens.renew(stale).await
    }

    /// Makes a call as this user.
    async fn make(&self, call: Call) -> Result<Answer> {
        let access = self.access().await?;
        match self.0.http.insist(&call, Some(&access.token)).await {
            Err(error) if error.code() == Some(ErrorCode::Unauthenticated) => {
                let access = self.renew(&access).await?;
                self.0.http.insist(&call, Some(&access.token)).await
            }
            answered => answered,
        }
    }

    /// Makes a call as this user, and hands out what is answered as it comes.
    async fn pour(&self, call: Call) -> Result<BoxStream<'static, Result<Bytes>>> {
        let access = self.access().await?;
        match self.0.http.pour(&call, Some(&access.token)).await {
            Err(error) if error.code() == Some(ErrorCode::Unauthenticated) => {
                let access = self.renew(&access).await?;
                self.0.http.pour(&call, Some(&access.token)).await
            }
            poured => poured,
        }
    }

    async fn read<T: DeserializeOwned>(&self, call: Call) -> Result<T> {
        self.make(call).await?.read()
    }

    async fn done(&self, call: Call) -> Result<()> {
        self.make(call).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, path: impl Into<String>) -> Result<T> {
        self.read(Call::new(Method::GET, path)).await
    }

    async fn change<T: DeserializeOwned>(
        &self,
        path: impl Into<String>,
        body: &impl Serialize,
    ) -> Result<T> {
        self.read(Call::new(Method::PATCH, path).with(body)).await
    }

    async fn delete(&self, path: impl Into<String>) -> Result<()> {
        self.done(Call::new(Method::DELETE, path)).await
    }
}

/// Shows no token.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("user", &self.0.user)
            .field("username", &self.0.username)
            .finish_non_exhaustive()
    }
}

/// Whether the server says that the thing was there before.
fn was_there(status: StatusCode) -> bool {
    status == StatusCode::OK
}

impl Error {
    /// Whether it tells that the session is over.
    pub(crate) fn is_sign_out(&self) -> bool {
        self.code() == Some(ErrorCode::Unauthenticated)
    }
}
