//! A server, and the ways to become somebody there.

use hyper::Method;
use protocol::accounts::{LoginBody, RefreshBody, RegisterBody};
use serde::Serialize;

use super::Session;
use crate::{
    Result, Settings,
    http::{Call, Http},
};

/// A server that one may log in to. Cloning shares its connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    settings: Settings,
}

impl Client {
    /// A client of the server at `url`, like `https://chat.example.com`. Nothing is asked yet.
    ///
    /// # Errors
    /// [`crate::Error::Url`] for what is no url of a server, and [`crate::Error::Root`] for roots that are
    /// no certificates.
    pub fn new(url: &str) -> Result<Self> {
        Self::with(url, Settings::default())
    }

    /// The same, with other settings.
    ///
    /// # Errors
    /// See [`Client::new`].
    pub fn with(url: &str, settings: Settings) -> Result<Self> {
        let http = Http::new(url, &settings)?;
        Ok(Self { http, settings })
    }

    /// Makes an account and logs in to it.
    ///
    /// # Errors
    /// As every call; see [`crate::Error`].
    pub async fn register(&self, body: &RegisterBody) -> Result<Session> {
        self.sign_in("/v1/auth/register", body).await
    }

    /// Logs in.
    ///
    /// # Errors
    /// As every call; see [`crate::Error`].
    pub async fn log_in(&self, body: &LoginBody) -> Result<Session> {
        self.sign_in("/v1/auth/login", body).await
    }

    /// Goes on with a session of an earlier run, by what [`Session::refresh_token`] answered there.
    ///
    /// # Errors
    /// As every call; see [`crate::Error`].
    pub async fn resume(&self, refresh_token: String) -> Result<Session> {
        let refresh_token = Some(refresh_token);
        self.sign_in("/v1/auth/refresh", &RefreshBody { refresh_token })
            .await
    }

    async fn sign_in(&self, path: &str, body: &impl Serialize) -> Result<Session> {
        let answer = self
            .http
            .make(&Call::new(Method::POST, path).with(body), None)
            .await?;
        Session::new(self.http.clone(), self.settings.clone(), &answer.read()?)
    }
}
