//! One registered user and one room, made over HTTP as any client would.

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

async fn post(address: &str, path: &str, token: Option<&str>, body: &Value) -> Result<Value> {
    let body = body.to_string();
    let authorization = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         {authorization}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("a whole answer")?;
    ensure!(head.starts_with("HTTP/1.1 201"), "{path} answered {answer}");
    Ok(serde_json::from_str(body)?)
}
