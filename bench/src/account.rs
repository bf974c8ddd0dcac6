//! Users and rooms, made over HTTP as any client would.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Registers a user; answers their access token.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn register(address: &str, username: &str) -> Result<String> {
    let body = json!({
        "username": username,
        "email": format!("{username}@example.com"),
        "password": "plain sailing 1843",
    });
    let answer = post(address, "/v1/auth/register", None, &body).await?;
    Ok(answer["access_token"]
        .as_str()
        .context("an access token")?
        .to_owned())
}

/// Makes a public room; answers its id.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn create_room(address: &str, token: &str, name: &str) -> Result<String> {
    let answer = post(address, "/v1/rooms", Some(token), &json!({ "name": name })).await?;
    Ok(answer["id"].as_str().context("a room id")?.to_owned())
}

/// Joins a public room.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn join(address: &str, token: &str, room: &str) -> Result<()> {
    let path = format!("/v1/rooms/{room}/members");
    post(address, &path, Some(token), &json!({}))
        .await
        .map(drop)
}

/// Makes something; answers what the server says of it.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn post(
    address: &str,
    path: &str,
    token: Option<&str>,
    body: &Value,
) -> Result<Value> {
    ask(address, "POST", path, token, &body.to_string()).await
}

/// Reads something.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn get(address: &str, path: &str, token: &str) -> Result<Value> {
    ask(address, "GET", path, Some(token), "").await
}

async fn ask(
    address: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> Result<Value> {
    let authorization = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         {authorization}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("a whole answer")?;
    ensure!(head.starts_with("HTTP/1.1 20"), "{path} answered {answer}");
    Ok(serde_json::from_str(body)?)
}
