//! A private OpenID provider: `oidc-provider-mock`, from Python's package index. It vouches for whoever is named in its form.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::spawn_blocking,
};

use crate::{free_port, home::Home, python};

/// As it is asked for from the index.
const RELEASE: &str = "oidc-provider-mock==0.3.4";

/// A running provider, which ends when this is dropped or the test is killed.
pub struct OidcProvider {
    home: Home,
    port: u16,
}

impl OidcProvider {
    /// Starts one.
    ///
    /// # Errors
    /// When there is no Python here, or the provider is not to be had.
    pub async fn start() -> Result<Self> {
        let port = free_port();
        let mut provider = spawn_blocking(move || {
            let program = python::program(RELEASE, "oidc-provider-mock")?;
            let mut home = Home::new("oidc", "KILL")?;
            let mut command = Command::new(program);
            command
                .args(["--host", "127.0.0.1", "--port", &port.to_string()])
                .env("AUTHLIB_INSECURE_TRANSPORT", "1");
            home.start(&command)?;
            anyhow::Ok(Self { home, port })
        })
        .await??;
        let answers = async || TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        let home = &mut provider.home;
        home.until_ready("the OpenID provider", answers).await?;
        Ok(provider)
    }

    /// Its issuer.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Says of somebody what `claims` says, as JSON.
    ///
    /// # Errors
    /// When it does not take that.
    pub async fn knows(&self, subject: &str, claims: &str) -> Result<()> {
        let path = format!("/users/{subject}");
        let answer = self.ask("PUT", &path, "application/json", claims).await?;
        ensure!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        Ok(())
    }

    /// Fills in its form at `url` as somebody, and answers where a browser is sent then.
    ///
    /// # Errors
    /// When it does not vouch for them.
    pub async fn vouch(&self, url: &str, subject: &str) -> Result<String> {
        let form = format!("sub={subject}");
        self.send_form(url, &form).await
    }

    /// Says no in its form at `url`, and answers where a browser is sent then.
    ///
    /// # Errors
    /// When it does not take that.
    pub async fn deny(&self, url: &str) -> Result<String> {
        self.send_form(url, "action=deny").await
    }

    async fn send_form(&self, url: &str, form: &str) -> Result<String> {
        let path = url.strip_prefix(&self.url()).context("not its url")?;
        let media_type = "application/x-www-form-urlencoded";
        let answer = self.ask("POST", path, media_type, form).await?;
        let mut lines = answer.lines();
        let location = lines.find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("location").then_some(value)
        });
        location.map(str::to_owned).with_context(|| answer.clone())
    }

    async fn ask(&self, method: &str, path: &str, media_type: &str, body: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\n\
             content-type: {media_type}\r\ncontent-length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}
