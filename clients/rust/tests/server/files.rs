//! Files and farewells, as programs make them.

use anyhow::Result;
use client::{Client, Error};
use futures_util::TryStreamExt as _;
use protocol::{ErrorCode, messages::SendBody};

use crate::support::{hasty, register, room_of, unlimited};

#[tokio::test]
async fn what_is_uploaded_is_read_again_and_taken_along() -> Result<()> {
    let server = unlimited().start().await?;
    let client = Client::with(&server.url(), hasty())?;
    let (ada, bob) = (
        register(&client, "ada").await?,
        register(&client, "bob").await?,
    );
    let room = room_of(&ada, &[&bob]).await?;
    let content = vec![7; 300_000];
    let file = ada.upload(room, "T\u{fc}r \"1\".bin", &content).await?;
    assert_eq!(
        (file.size, file.name.as_str()),
        (300_000, "T\u{fc}r \"1\".bin")
    );
    let body = SendBody {
        body: None,
        client_id: None,
        reply_to: None,
        thread: None,
        files: Some(vec![file.id.to_string()]),
    };
    ada.send(room, &body).await?;
    let parts: Vec<_> = bob.download(file.id).await?.try_collect().await?;
    assert_eq!(parts.concat(), content);
    let refused = bob
        .thumbnail(file.id)
        .await
        .err()
        .expect("it is no picture");
    assert_eq!(refused.code(), Some(ErrorCode::FileNotFound));

    let zip: Vec<_> = ada.export().await?.try_collect().await?;
    assert!(zip.concat().starts_with(b"PK"));
    let refused = ada.leave_for_good(Some("not this one")).await;
    assert!(matches!(&refused, Err(error) if error.code() == Some(ErrorCode::InvalidCredentials)));
    ada.leave_for_good(Some(crate::support::PASSWORD)).await?;
    assert!(matches!(ada.me().await, Err(Error::Refused(_))));
    Ok(())
}
