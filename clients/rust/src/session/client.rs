//! A server, and the ways to become somebody there.

use std::sync::Arc;

use hyper::Method;
use protocol::accounts::{LoginBody, RefreshBody, RegisterBody, SignedIn};
use serde::Serialize;

use super::{
    Session,
    kept::{self, Keep, Saved},
};
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

    /// Goes on with the session that is kept there, if one is. Any number of programs may do so at once:
    /// the tokens are renewed by one of them at a time, and the others take what it got.
    ///
    /// # Errors
    /// [`crate::Error::Keep`] when it cannot be read. Whether the server still takes the session is told
    /// by the first call.
    pub async fn resume_kept(&self, keep: Arc<dyn Keep>) -> Result<Option<Session>> {
        let saved = kept::lock(&keep).await?.read().map_err(kept::failed)?;
        Ok(
            saved
                .map(|saved| Session::kept(self.http.clone(), self.settings.clone(), &saved, keep)),
        )
    }

    /// Logs in and keeps the session there, in the place of what was kept.
    ///
    /// # Errors
    /// As every call; see [`crate::Error`].
    pub async fn log_in_kept(&self, body: &LoginBody, keep: Arc<dyn Keep>) -> Result<Session> {
        self.sign_in_kept("/v1/auth/login", body, keep).await
    }

    /// Makes an account, logs in to it and keeps the session there, in the place of what was kept.
    ///
    /// # Errors
    /// As every call; see [`crate::Error`].
    pub async fn register_kept(&self, body: &RegisterBody, keep: Arc<dyn Keep>) -> Result<Session> {
        self.sign_in_kept("/v1/auth/register", body, keep).await
    }

    async fn sign_in(&self, path: &str, body: &impl Serialize) -> Result<Session> {
        let signed_in = self.signed_in(path, body).await?;
        Session::new(self.http.clone(), self.settings.clone(), &signed_in)
    }

    async fn sign_in_kept(
        &self,
        path: &str,
        body: &impl Serialize,
        keep: Arc<dyn Keep>,
    ) -> Result<Session> {
        let mut kept = kept::lock(&keep).await?;
        let signed_in = self.signed_in(path, body).await?;
        let session = Session::new(self.http.clone(), self.settings.clone(), &signed_in)?;
        kept.write(&Saved::of(&signed_in, keep.now())?)
            .map_err(kept::failed)?;
        session.0.tokens.keep(keep).await;
        Ok(session)
    }

    async fn signed_in(&self, path: &str, body: &impl Serialize) -> Result<SignedIn> {
        let call = Call::new(Method::POST, path).with(body);
        self.http.make(&call, None).await?.read()
    }
}
