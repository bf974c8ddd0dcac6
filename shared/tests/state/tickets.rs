//! A ticket takes one socket, whichever node it comes to.

use std::time::Duration;

use protocol::{ErrorCode, Timestamp, accounts::UserSummary};
use shared::{
    Clock,
    redis_link::Redis,
    tickets::Tickets,
    token::{AccessClaims, Secrets},
};

use crate::ground::{prefix, redis, until};

const LIFE: Duration = Duration::from_secs(30);

fn tickets(redis: Option<Redis>) -> Tickets {
    Tickets::new(Secrets::new(&"a cluster secret".into()), LIFE, redis)
}

async fn two_nodes() -> anyhow::Result<(Tickets, Tickets)> {
    let prefix = prefix();
    Ok((
        tickets(Some(redis(&prefix).await?)),
        tickets(Some(redis(&prefix).await?)),
    ))
}

fn clock() -> Clock {
    Clock::manual(Timestamp::from_unix_ms(1_763_800_000_000))
}

fn claims(clock: &Clock, life: Duration) -> AccessClaims {
    let user = UserSummary {
        id: clock.id(),
        username: "ada".into(),
        display_name: "Ada".into(),
    };
    AccessClaims::new(user, clock.id(), false, clock.now(), life)
}

mod in_process {
    #[tokio::test(flavor = "multi_thread")]
    async fn a_ticket_is_taken_once() -> anyhow::Result<()> {
        let tickets = super::tickets(None);
        super::a_ticket_is_taken_once(tickets.clone(), tickets).await
    }
}

mod on_redis {
    #[tokio::test(flavor = "multi_thread")]
    async fn a_ticket_is_taken_once() -> anyhow::Result<()> {
        let (one, other) = super::two_nodes().await?;
        super::a_ticket_is_taken_once(one, other).await
    }
}

async fn a_ticket_is_taken_once(one: Tickets, other: Tickets) -> anyhow::Result<()> {
    let clock = clock();
    let claims = claims(&clock, Duration::from_secs(900));
    for _ in 0..10 {
        let ticket = one.issue(&claims, clock.now());
        let tries: Vec<_> = (0..8)
            .map(|number| {
                let node = if number % 2 == 0 {
                    one.clone()
                } else {
                    other.clone()
                };
                let (ticket, now) = (ticket.clone(), clock.now());
                tokio::spawn(async move { node.redeem(&ticket, now).await })
            })
            .collect();
        let mut taken = 0;
        for attempt in tries {
            match attempt.await? {
                Ok(shown) => {
                    assert_eq!(shown, claims);
                    taken += 1;
                }
                Err(refusal) => assert_eq!(refusal.code, ErrorCode::Unauthenticated),
            }
        }
        assert_eq!(taken, 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_ticket_that_is_old_or_forged_takes_nothing() {
    let (tickets, clock) = (tickets(None), clock());
    let refused = async |ticket: &str| {
        let refusal = tickets.redeem(ticket, clock.now()).await.unwrap_err();
        assert_eq!(refusal.code, ErrorCode::Unauthenticated, "{ticket}");
    };
    let good = claims(&clock, Duration::from_secs(900));
    let (old, short) = (
        tickets.issue(&good, clock.now()),
        claims(&clock, Duration::from_secs(10)),
    );
    let of_short = tickets.issue(&short, clock.now());
    clock.advance(Duration::from_secs(10));
    refused(&of_short).await;
    clock.advance(Duration::from_secs(20));
    refused(&old).await;
    let ticket = tickets.issue(&good, clock.now());
    let another = Tickets::new(Secrets::new(&"another secret".into()), LIFE, None);
    refused(&another.issue(&good, clock.now())).await;
    let (body, mac) = ticket.split_once('.').unwrap();
    refused(body).await;
    refused(&format!("{body}.")).await;
    refused(&format!("{}.{mac}", &body[1..])).await;
    refused("").await;
    assert!(
        tickets.redeem(&ticket, clock.now()).await.is_ok(),
        "the real one is still good"
    );
}

/// Without Redis a ticket still takes a socket, at most once on each node, and only for its life.
#[tokio::test(flavor = "multi_thread")]
async fn without_redis_sockets_still_open_and_with_it_once_for_all_again() -> anyhow::Result<()> {
    let mut server = testkit::Redis::start().await?;
    let connect = || Redis::new(&server.url().into(), "chatx:");
    let (one, other) = (tickets(Some(connect()?)), tickets(Some(connect()?)));
    let clock = clock();
    let claims = claims(&clock, Duration::from_secs(900));
    server.kill()?;
    let ticket = one.issue(&claims, clock.now());
    assert!(one.redeem(&ticket, clock.now()).await.is_ok());
    assert!(one.redeem(&ticket, clock.now()).await.is_err());
    clock.advance(LIFE);
    assert!(other.redeem(&ticket, clock.now()).await.is_err());
    server.start_again().await?;
    until("a ticket is burnt on both nodes again", async || {
        let ticket = one.issue(&claims, clock.now());
        one.redeem(&ticket, clock.now()).await?;
        Ok(other.redeem(&ticket, clock.now()).await.is_err())
    })
    .await
}
