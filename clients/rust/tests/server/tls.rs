//! Calls and sockets over TLS, as on the internet.

use anyhow::Result;
use client::{Client, Delivery, Error, Settings, Start, pki_types::CertificateDer};

use crate::support::{Terminator, body, hasty, register, room_of, soon, unlimited};

#[tokio::test]
async fn a_server_behind_tls_is_spoken_to_if_its_certificate_is_trusted() -> Result<()> {
    let door = Terminator::start().await?;
    let server = unlimited()
        .set("CHATX_PUBLIC_URL", door.url())
        .start()
        .await?;
    door.point_to(&server.address());
    let trusting = Settings {
        extra_roots: vec![door.root.clone()],
        ..hasty()
    };
    let client = Client::with(&door.url(), trusting)?;
    let ada = register(&client, "ada").await?;
    assert!(
        ada.socket_ticket(None)
            .await?
            .url
            .starts_with("wss://localhost:")
    );
    let room = room_of(&ada, &[]).await?;
    let connection = ada.connect();
    let mut events = connection.room(room).events(Start::Live).await?;
    let sent = "x".repeat(8_000);
    connection.room(room).send(sent.clone()).await?;
    let heard = async {
        loop {
            if let Some(Delivery::Event(event)) = events.next().await {
                return event;
            }
        }
    };
    assert_eq!(body(&soon("an event", heard).await?), Some(&*sent));

    // Browsers do not know that CA, nor does a client that was not told.
    let stranger = Client::with(&door.url(), hasty())?;
    let Err(error) = register(&stranger, "eve").await else {
        panic!("a certificate of nobody was trusted")
    };
    let Some(Error::Unreachable(words)) = error.downcast_ref() else {
        panic!("{error}")
    };
    assert!(words.contains("certificate"), "{words}");
    let none = Settings {
        extra_roots: vec![CertificateDer::from(vec![1, 2, 3])],
        ..hasty()
    };
    assert!(matches!(
        Client::with(&door.url(), none),
        Err(Error::Root(_))
    ));
    Ok(())
}
