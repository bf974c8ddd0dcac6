//! `chatx login` and `chatx logout`.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use client::Settings;
use protocol::{
    ErrorCode,
    accounts::{LoginBody, RegisterBody},
};

use crate::{
    options::{Login, Logout},
    password::{answer, code, password},
    place::Place,
};

pub(crate) async fn log_in(place: &Place, options: Login) -> Result<()> {
    let server = place.server(options.server.server.as_deref())?;
    let login = match options.login {
        Some(login) => login,
        None => answer("Username")?,
    };
    let password = password(&format!("Password of {login} at {}", server.url))?;
    let client = server.client(Settings::default())?;
    let session = match options.register {
        None => {
            let mut body = LoginBody {
                login: Some(login),
                password: Some(password),
                device: Some(options.device),
                totp: None,
            };
            match client.log_in_kept(&body, server.keep()).await {
                Err(error) if error.code() == Some(ErrorCode::TotpRequired) => {
                    body.totp = Some(code()?);
                    client.log_in_kept(&body, server.keep()).await?
                }
                session => session?,
            }
        }
        Some(email) => {
            let body = RegisterBody {
                username: Some(login),
                email: Some(email),
                password: Some(password),
                display_name: None,
            };
            client.register_kept(&body, server.keep()).await?
        }
    };
    place
        .prefer(&server)
        .context("the server cannot be remembered")?;
    writeln!(
        io::stderr(),
        "logged in to {} as {}",
        server.url,
        session.username()
    )?;
    Ok(())
}

/// The session is forgotten here even if the server no longer knows it.
pub(crate) async fn log_out(place: &Place, options: &Logout) -> Result<()> {
    let server = place.server(options.server.server.as_deref())?;
    let session = server.session(Settings::default()).await?;
    match session.log_out().await {
        Err(error) if error.code() != Some(protocol::ErrorCode::Unauthenticated) => {
            return Err(error.into());
        }
        _ => server.forget()?,
    }
    writeln!(io::stderr(), "logged out of {}", server.url)?;
    Ok(())
}
