//! Bots on sockets: their token lets them in, opens what its scopes say, and ends the socket with it.

use std::time::Duration;

use anyhow::Result;
use protocol::{
    ErrorCode, Limits, Parse,
    admin::ChangeAccount,
    bots::{BotBody, BotTokenBody, FreshToken, NewBot, NewBotToken, Scope},
    rooms::{Join, JoinBody},
};
use serde_json::json;
use shared::{bots, rooms, store::AccountChange};

use crate::support::{Client, TestNode};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(3_600);

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

        // Who owns it is kept out, and it with them, until they are let in.
        let suspend = async |suspended: bool| {
            let wish = ChangeAccount {
                suspended: Some(suspended),
                ..ChangeAccount::default()
            };
            let change = AccountChange {
                user: ada.user.id,
                wish: &wish,
                admins: &[],
                at: node.app.clock.now(),
            };
            node.app.store.administer_account(&change).await
        };
        suspend(true).await?;
        assert_eq!(speaker.closed().await?, 4401);
        assert!(Client::connect(node.address, &both.token).await.is_err());
        suspend(false).await?;
        let known = node.app.store.revocations_since(None, LONG).await?;
        assert_eq!(known.barred, [], "its tokens are as good as before");
        assert_eq!(bots::tokens(&node.app, &caller, bot.id).await?.len(), 2);

        let fresh = token(&[Scope::MessagesRead]).await?;
        let mut speaker = Client::connect(node.address, &fresh.token).await?;
        bots::delete(&node.app, &caller, bot.id).await?;
        assert_eq!(speaker.closed().await?, 4401);
        node.stop().await?;
    }
    Ok(())
}
