//! Bots on sockets: their token lets them in, opens what its scopes say, and ends the socket with it.

use anyhow::Result;
use protocol::{
    ErrorCode, Limits, Parse,
    bots::{BotBody, BotTokenBody, FreshToken, NewBot, NewBotToken, Scope},
    rooms::{Join, JoinBody},
};
use serde_json::json;
use shared::{bots, rooms};

use crate::support::{Client, TestNode};

fn parsed<T: Parse>(raw: T::Raw) -> Result<T> {
    T::parse(raw, &Limits::default()).map_err(|fields| anyhow::anyhow!("{fields:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_on_a_socket_does_what_its_token_opens_until_that_is_revoked() -> Result<()> {
    for node in [TestNode::sqlite().await?, TestNode::postgres().await?] {
        let ada = node.person("ada").await?;
        let caller = ada.caller();
        let room = node.room(&ada, &[]).await?;
        let new = parsed::<NewBot>(BotBody {
            username: Some("helper".to_owned()),
            ..BotBody::default()
        })?;
        let bot = bots::create(&node.app, &caller, new).await?;
        let wish = parsed::<Join>(JoinBody {
            user: Some(bot.id.to_string()),
            ..JoinBody::default()
        })?;
        rooms::join(&node.app, &caller, room, wish).await?;
        let token = async |scopes: &[Scope]| -> Result<FreshToken> {
            let scopes = scopes.iter().map(|scope| scope.as_str().to_owned());
            let wish = parsed::<NewBotToken>(BotTokenBody {
                name: Some("a machine".to_owned()),
                scopes: Some(scopes.collect()),
                expires_in_s: None,
            })?;
            Ok(bots::create_token(&node.app, &caller, bot.id, wish).await?)
        };

        let writes_only = token(&[Scope::MessagesWrite]).await?;
        assert!(
            Client::connect(node.address, &writes_only.token)
                .await
                .is_err(),
            "who may not read has nothing to hear"
        );

        let reads = token(&[Scope::MessagesRead]).await?;
        let mut socket = Client::connect(node.address, &reads.token).await?;
        socket.subscribe(room).await?;
        let send = json!({ "type": "send", "room": room, "client_id": "1", "body": "hello" });
        assert_eq!(socket.refused(send).await?, ErrorCode::MissingScope);
        assert_eq!(
            socket
                .refused(json!({ "type": "leave", "room": room }))
                .await?,
            ErrorCode::MissingScope
        );
        socket.ask(json!({ "type": "ping" })).await?;

        let both = token(&[Scope::MessagesRead, Scope::MessagesWrite]).await?;
        let mut speaker = Client::connect(node.address, &both.token).await?;
        speaker.send(room, "hello").await?;

        bots::delete_token(&node.app, &caller, bot.id, reads.about.id).await?;
        assert_eq!(socket.closed().await?, 4401);
        // The other token is another matter.
        speaker.ask(json!({ "type": "ping" })).await?;
        bots::delete(&node.app, &caller, bot.id).await?;
        assert_eq!(speaker.closed().await?, 4401);
        node.stop().await?;
    }
    Ok(())
}
