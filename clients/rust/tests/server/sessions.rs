//! Tokens that end, and sessions that do.

use std::time::Duration;

use anyhow::{Result, bail};
use client::{Client, Ended, Error, Start, Status};
use protocol::{ErrorCode, accounts::LoginBody};

use crate::support::{Listener, PASSWORD, hasty, register, room_of, soon, unlimited};

#[tokio::test]
async fn a_session_outlives_its_tokens_on_one_socket() -> Result<()> {
    let server = unlimited().set("CHATX_ACCESS_TOKEN_S", "2").start().await?;
    let client = Client::with(&server.url(), hasty())?;
    let ada = register(&client, "ada").await?;
    let room = room_of(&ada, &[]).await?;
    let connection = ada.connect();
    let mut status = connection.status();
    connection.ready().await?;
    status.mark_unchanged();
    let first = ada.refresh_token().await;

    let mut ticks = tokio::time::interval(Duration::from_millis(250));
    for count in 0..24 {
        ticks.tick().await;
        connection
            .room(room)
            .send(format!("still here {count}"))
            .await?;
        // Many at once renew the token once: were it twice, the session would end.
        let (me, rooms, sessions) = tokio::join!(ada.me(), ada.my_rooms(), ada.sessions());
        assert_eq!(me?.user.id, ada.user());
        assert_eq!((rooms?.rooms.len(), sessions?.sessions.len()), (1, 1));
    }
    assert_ne!(ada.refresh_token().await, first);
    assert!(
        !status.has_changed()?,
        "the socket was lost: {:?}",
        *status.borrow()
    );

    // The same session in another run of the program.
    let resumed = client.resume(ada.refresh_token().await).await?;
    assert_eq!(resumed.user(), ada.user());
    Ok(())
}

#[tokio::test]
async fn a_revoked_session_ends_its_connection() -> Result<()> {
    let server = unlimited().start().await?;
    let client = Client::with(&server.url(), hasty())?;
    let ada = register(&client, "ada").await?;
    let room = room_of(&ada, &[]).await?;
    let connection = ada.connect();
    let listener = Listener::new(connection.room(room).events(Start::Live).await?);
    connection.ready().await?;

    let login = LoginBody {
        login: Some(ada.username().to_owned()),
        password: Some(PASSWORD.to_owned()),
        device: Some("elsewhere".to_owned()),
        totp: None,
    };
    let elsewhere = client.log_in(&login).await?;
    elsewhere.revoke_others().await?;
    let ended = soon("the end", connection.until_ended()).await?;
    assert!(matches!(ended, Ended::SignedOut), "{ended}");
    let told = listener.ended().await?;
    assert!(
        matches!(told, client::RoomEnded::Connection(Ended::SignedOut)),
        "{told}"
    );
    assert!(matches!(
        connection.room(room).send("hello?").await,
        Err(Error::Ended(Ended::SignedOut))
    ));
    assert_eq!(
        ada.me().await.unwrap_err().code(),
        Some(ErrorCode::Unauthenticated)
    );
    assert_eq!(elsewhere.me().await?.user.id, ada.user());
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_waited_for_and_told() -> Result<()> {
    let nobody = Client::with(
        &format!("http://127.0.0.1:{}", testkit::free_port()),
        hasty(),
    )?;
    let Err(Error::Unreachable(_)) = register(&nobody, "ada")
        .await
        .map_err(|error| error.downcast().unwrap())
    else {
        bail!("nobody answered")
    };
    for url in [
        "ws://chat.example.com",
        "chat.example.com",
        "http://",
        "http://a/?b",
    ] {
        assert!(matches!(Client::new(url), Err(Error::Url(_))), "{url}");
    }

    let mut server = unlimited().start().await?;
    let client = Client::with(&server.url(), hasty())?;
    let ada = register(&client, "ada").await?;
    server.kill_9()?;
    let connection = ada.connect();
    let mut status = connection.status();
    drop(
        soon(
            "a wait",
            status.wait_for(|status| matches!(status, Status::Waiting { .. })),
        )
        .await??,
    );
    let room = connection.room(protocol::RoomId::from_uuid(ada.user().uuid()));
    let receipt = room.submit("is anybody there?").await?;
    // Whoever leaves before the answer is told what had none.
    let left = connection.close(Duration::from_millis(200)).await;
    assert_eq!(left.unwrap_err().count, 1);
    assert!(matches!(receipt.await, Err(Error::Ended(Ended::Closed))));
    Ok(())
}
