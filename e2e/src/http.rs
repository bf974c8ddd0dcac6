//! HTTP to one server, with or without a token.

use anyhow::{Context as _, Result, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method, Request, body::Bytes, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::time::timeout;

use crate::PATIENCE;

/// A client of one server. Cloning shares its connections.
#[derive(Clone)]
pub struct Http {
    address: String,
    token: Option<String>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Http {
    /// Speaks to `address`, like `127.0.0.1:8080`, as nobody in particular.
    pub fn new(address: impl Into<String>) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            address: address.into(),
            token: None,
            client,
        }
    }

    /// The same, with an access token.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self {
            token: Some(token.into()),
            ..self.clone()
        }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Result<Answer> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Result<Answer> {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.call(Method::DELETE, path, None).await
    }

    /// One request and its answer, whatever its status.
    ///
    /// # Errors
    /// When there is no answer, or its body is neither empty nor JSON.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer> {
        let body = body.map(|body| ("application/json", body.to_string()));
        self.send(method, path, body).await
    }

    /// Uploads a text as a file.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn upload(&self, path: &str, text: &str) -> Result<Answer> {
        let form = format!(
            "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n{text}\r\n--x--\r\n"
        );
        let form = ("multipart/form-data; boundary=x", form);
        self.send(Method::POST, path, Some(form)).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
    ) -> Result<Answer> {
        let what = format!("{method} {path}");
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut text = String::new();
        if let Some((media_type, body)) = body {
            request = request.header(header::CONTENT_TYPE, media_type);
            text = body;
        }
        let answered = timeout(PATIENCE, async {
            let response = self.client.request(request.body(Full::from(text))?).await?;
            let (head, body) = response.into_parts();
            anyhow::Ok((head, body.collect().await?.to_bytes()))
        });
        let (head, bytes) = answered
            .await
            .with_context(|| format!("{what} is not answered"))?
            .context(what.clone())?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            let text = String::from_utf8_lossy(&bytes);
            serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(text.into_owned()))
        };
        Ok(Answer {
            what,
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    what: String,
    pub status: u16,
    pub headers: HeaderMap,
    /// The JSON of the body; its text, if it is none; `null`, if there is none.
    pub body: Value,
}

impl Answer {
    /// Its body, if the status is `expected`.
    ///
    /// # Errors
    /// When it is another one.
    pub fn expect(self, expected: u16) -> Result<Value> {
        ensure!(
            self.status == expected,
            "{}: {} instead of {expected}: {}",
            self.what,
            self.status,
            self.body
        );
        Ok(self.body)
    }

    /// The stable code of a refusal; empty for anything else.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}
