//! The store behind a real PgBouncer that pools transactions: many callers over few connections, each
//! of whom gets their own answer.

use anyhow::{Result, ensure};
use protocol::{Seq, messages::History};
use shared::store::{Store, StoreOptions};
use testkit::{Durability, PgBouncer, Postgres};
use tokio::task::JoinSet;

use crate::ground::Ground;

const SERVER_CONNECTIONS: u16 = 2;
const CALLERS: usize = 8;
const ROUNDS: usize = 25;

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_gets_their_own_answer() -> Result<()> {
    let postgres = Postgres::start_with(Durability::Fast).await?;
    let ground = Ground::on_server(&postgres.url()).await?;
    let pooler = PgBouncer::start(&postgres, SERVER_CONNECTIONS).await?;
    let url = pooler.url(ground.database_name());
    let owner = ground.person("owner").await?;

    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let user = ground.person(&format!("caller-{number}")).await?;
        let room = ground.room(&owner, &format!("Room {number}")).await?.id;
        let store = Store::connect(&url, &StoreOptions::default()).await?;
        let entries = (0..ROUNDS).map(|round| ground.message(room, user.id, &round.to_string()));
        let (entries, at) = (entries.collect::<Vec<_>>(), ground.clock.now());
        callers.spawn(async move {
            // A transaction of several statements, then statements on their own.
            store
                .join(room, user.id, &shared::store::Entry::Open, at)
                .await?;
            for (round, entry) in entries.iter().enumerate() {
                let appended = store.append(std::slice::from_ref(entry)).await?;
                ensure!(appended.len() == 1, "{number}: {appended:?}");
                let me = store.me(user.id).await?;
                ensure!(
                    me.user.id == user.id,
                    "{number} is told of {}",
                    me.user.username
                );
                let list = store
                    .history(
                        room,
                        user.id,
                        &History {
                            limit: 50,
                            ..History::default()
                        },
                    )
                    .await?;
                ensure!(
                    list.messages.len() == round + 1,
                    "{number}: {} messages",
                    list.messages.len()
                );
                ensure!(
                    list.messages
                        .iter()
                        .all(|message| message.room == room && message.user == user)
                );
                // The owner's `join`, the caller's, and the messages.
                ensure!(
                    list.head == Seq(u64::try_from(round)? + 3),
                    "{number}: {}",
                    list.head
                );
            }
            Ok(())
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(())
}
