//! No more goes through than a rate allows, on one node or several, with Redis or while it is away.

use std::time::Duration;

use protocol::{ErrorCode, Timestamp};
use shared::{
    Clock, Refusal, Settings,
    cluster::{Cluster, Node},
    limiter::{Limiter, Spending},
    redis_link::Redis,
    settings::{Rate, Rates},
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::ground::{Database, database, prefix, redis, until};

/// Slow enough that nothing becomes free while a test runs.
const SLOW: Rate = Rate {
    burst: 6,
    every: Duration::from_secs(600),
};

/// Two nodes' limiters, and how time passes for them.
struct Nodes {
    one: Limiter,
    other: Limiter,
    clock: Option<Clock>,
    _database: Option<Database>,
}

impl Nodes {
    fn in_process() -> Self {
        let clock = Clock::manual(Timestamp::from_unix_ms(1_763_800_000_000));
        let one = Limiter::in_process(&Settings::default(), clock.clone());
        Self {
            other: one.clone(),
            one,
            clock: Some(clock),
            _database: None,
        }
    }

    async fn on_redis() -> anyhow::Result<Self> {
        let prefix = prefix();
        Self::sharing(redis(&prefix).await?, redis(&prefix).await?).await
    }

    async fn sharing(one: Redis, other: Redis) -> anyhow::Result<Self> {
        let database = database().await?;
        for name in ["one", "other"] {
            database
                .store
                .register_node(&node(name), Uuid::new_v4(), Duration::ZERO)
                .await?;
        }
        let limiter = async |redis| {
            let cluster = Cluster::new(database.store.clone());
            // Until a node knows how many there are, it takes the whole rate for its share.
            cluster.live().await;
            let (settings, clock) = (Settings::default(), Clock::system());
            let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
            Limiter::shared(&settings, clock, redis, cluster, &tracker, &cancel)
        };
        Ok(Self {
            one: limiter(one).await,
            other: limiter(other).await,
            clock: None,
            _database: Some(database),
        })
    }

    /// Waits until what one node takes is missing on the other.
    async fn share_a_bucket(&self) -> anyhow::Result<()> {
        until("both nodes share a bucket", async || {
            let key = Uuid::new_v4().to_string();
            let mut allowed = 0;
            for limiter in [&self.one, &self.one, &self.one, &self.one, &self.other] {
                allowed += u32::from(limiter.check(SLOW, &key).await.is_ok());
            }
            let last = self.other.check(SLOW, &key).await;
            let none = self.one.check(SLOW, &key).await;
            Ok(allowed == 5 && last.is_ok_and(|last| last.remaining == 0) && none.is_err())
        })
        .await
    }

    async fn pass(&self, span: Duration) {
        match &self.clock {
            Some(clock) => clock.advance(span),
            None => tokio::time::sleep(span).await,
        }
    }
}

fn node(name: &str) -> Node {
    Node {
        name: name.to_owned(),
        url: String::new(),
        internal_url: String::new(),
        weight: 1,
        draining: false,
    }
}

macro_rules! on_both_sides {
    ($($test:ident),* $(,)?) => {
        mod in_process {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() -> anyhow::Result<()> {
                super::$test(super::Nodes::in_process()).await
            })*
        }
        mod on_redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() -> anyhow::Result<()> {
                super::$test(super::Nodes::on_redis().await?).await
            })*
        }
    };
}

on_both_sides!(
    a_full_bucket_goes_through_then_one_at_a_time,
    many_at_once_on_two_nodes_get_no_more_than_the_bucket,
    what_is_spent_on_two_nodes_is_one_bucket,
);

async fn a_full_bucket_goes_through_then_one_at_a_time(nodes: Nodes) -> anyhow::Result<()> {
    let rate = Rate {
        burst: 3,
        every: Duration::from_secs(2),
    };
    for remaining in [2, 1, 0] {
        let allowance = nodes.one.check(rate, "login:account:ada").await.unwrap();
        assert_eq!((allowance.limit, allowance.remaining), (3, remaining));
        assert!(allowance.reset <= rate.every * 3 && allowance.reset > Duration::ZERO);
    }
    let limited = nodes
        .other
        .check(rate, "login:account:ada")
        .await
        .unwrap_err();
    assert!(
        limited.retry_after <= rate.every && limited.retry_after > Duration::ZERO,
        "{limited:?}"
    );
    let refusal = Refusal::from(limited);
    assert_eq!(
        (refusal.code, refusal.retry_after),
        (ErrorCode::RateLimited, Some(limited.retry_after))
    );
    assert!(
        nodes.one.check(rate, "login:account:eve").await.is_ok(),
        "another key has its own bucket"
    );
    // What it says is how long it takes, and a refusal costs nothing.
    nodes
        .pass(limited.retry_after + Duration::from_millis(1))
        .await;
    assert!(nodes.one.check(rate, "login:account:ada").await.is_ok());
    assert!(nodes.one.check(rate, "login:account:ada").await.is_err());
    Ok(())
}

async fn many_at_once_on_two_nodes_get_no_more_than_the_bucket(nodes: Nodes) -> anyhow::Result<()> {
    let tries: Vec<_> = (0..40)
        .map(|number| {
            let limiter = if number % 2 == 0 {
                nodes.one.clone()
            } else {
                nodes.other.clone()
            };
            tokio::spawn(async move { limiter.check(SLOW, "room_password:ada").await.is_ok() })
        })
        .collect();
    let mut allowed = 0;
    for attempt in tries {
        allowed += u32::from(attempt.await?);
    }
    assert_eq!(allowed, SLOW.burst);
    Ok(())
}

/// Two nodes that spend as fast as they can get no more than the rate, what they hold and what they
/// were lent; and at the end there is nothing left for others.
async fn what_is_spent_on_two_nodes_is_one_bucket(nodes: Nodes) -> anyhow::Result<()> {
    let rate = Rate {
        burst: 20,
        every: Duration::from_secs(600),
    };
    let flood = |limiter: Limiter| {
        tokio::spawn(async move {
            let mut through = 0;
            for _ in 0..500 {
                through += u32::from(spent(&limiter, rate, "send:ada").await);
                tokio::task::yield_now().await;
            }
            through
        })
    };
    let (one, other) = (flood(nodes.one.clone()), flood(nodes.other.clone()));
    let (one, other) = (one.await?, other.await?);
    let most = match nodes.clock {
        Some(_) => rate.burst,
        None => 2 * rate.burst,
    };
    assert!(
        (rate.burst..=most).contains(&(one + other)),
        "{one} and {other}"
    );
    assert!(nodes.other.check(rate, "send:ada").await.is_err());
    assert!(spent(&nodes.one, rate, "send:eve").await);
    Ok(())
}

/// Whether it goes through, once that is known.
async fn spent(limiter: &Limiter, rate: Rate, key: &str) -> bool {
    match limiter.spend(rate, key) {
        Spending::Through => true,
        Spending::Refused(_) => false,
        Spending::Unsure(answer) => answer.await.is_ok(),
    }
}

#[tokio::test]
async fn off_is_off() {
    let settings = Settings {
        rates: Rates {
            on: false,
            ..Rates::default()
        },
        ..Settings::default()
    };
    let limiter = Limiter::in_process(&settings, Clock::system());
    for _ in 0..100 {
        assert!(limiter.check(SLOW, "login:ip:192.0.2.1").await.is_ok());
    }
}

/// Both nodes together let through what one bucket holds, however often Redis goes and comes.
#[tokio::test(flavor = "multi_thread")]
async fn without_redis_it_is_stricter_and_with_it_exact_again() -> anyhow::Result<()> {
    let mut server = testkit::Redis::start().await?;
    let connect = || Redis::new(&server.url().into(), "chatx:");
    let nodes = Nodes::sharing(connect()?, connect()?).await?;
    nodes.share_a_bucket().await?;

    server.kill()?;
    let mut allowed = [0, 0];
    for _ in 0..20 {
        for (limiter, allowed) in [&nodes.one, &nodes.other].into_iter().zip(&mut allowed) {
            *allowed += u32::from(limiter.check(SLOW, "meanwhile").await.is_ok());
        }
    }
    assert_eq!(
        allowed,
        [SLOW.burst / 2, SLOW.burst / 2],
        "each node allows its share"
    );

    server.start_again().await?;
    nodes.share_a_bucket().await
}

/// A lease of ten and what was lent before it came: all of it is taken out of the bucket before the
/// first of the ten is used.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_leased_before_they_are_needed() -> anyhow::Result<()> {
    const BURST: u32 = 1_000;
    let rate = Rate {
        burst: BURST,
        every: Duration::from_secs(600),
    };
    let nodes = Nodes::on_redis().await?;
    let mut looks = 0;
    let mut until_taken = async |taken: u32| {
        until(&format!("{taken} are taken"), async || {
            looks += 1;
            let seen = nodes.other.check(rate, "send:ada").await.unwrap();
            Ok(BURST - seen.remaining == taken + looks)
        })
        .await
    };
    assert_eq!(at_once(&nodes.one, rate, 1), 1);
    until_taken(11).await?;
    assert_eq!(at_once(&nodes.one, rate, 4), 4);
    until_taken(11).await?;
    // With half of it used, the lease is filled up again.
    assert_eq!(at_once(&nodes.one, rate, 1), 1);
    until_taken(16).await
}

/// How many of so many go through without anybody waiting for Redis.
fn at_once(limiter: &Limiter, rate: Rate, tries: u32) -> u32 {
    (0..tries)
        .map(|_| limiter.spend(rate, "send:ada"))
        .map(|spent| u32::from(matches!(spent, Spending::Through)))
        .sum()
}

/// However Redis goes away, nobody waits: what is leased can be used, what is lent is the node's share,
/// and it is all one bucket again when Redis is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_goes_holds_up_nothing_that_is_spent() -> anyhow::Result<()> {
    let rate = Rate {
        burst: 20,
        every: Duration::from_secs(600),
    };
    for pauses in [true, false] {
        let mut server = testkit::Redis::start().await?;
        let connect = || Redis::new(&server.url().into(), "chatx:");
        let nodes = Nodes::sharing(connect()?, connect()?).await?;
        nodes.share_a_bucket().await?;
        assert_eq!(at_once(&nodes.one, rate, 1), 1);
        let mut looks = 0;
        until("a lease is held", async || {
            looks += 1;
            let seen = nodes.other.check(rate, "send:ada").await.unwrap();
            // One was lent, and ten are leased.
            Ok(seen.remaining + looks == 9)
        })
        .await?;

        if pauses {
            server.pause()?;
        } else {
            server.kill()?;
        }
        assert_eq!(at_once(&nodes.one, rate, 10), 10, "the lease is good");
        let begun = Instant::now();
        let (mut more, mut fresh) = (0, 0);
        for _ in 0..200 {
            more += u32::from(spent(&nodes.one, rate, "send:ada").await);
            fresh += u32::from(spent(&nodes.one, rate, "send:eve").await);
        }
        // The share of one node of two, of which one was lent to begin with.
        assert_eq!((more, fresh), (9, 10));
        let waited = begun.elapsed();
        assert!(waited < Duration::from_secs(5), "{waited:?} for 400");

        if pauses {
            server.resume()?;
        } else {
            server.start_again().await?;
        }
        nodes.share_a_bucket().await?;
    }
    Ok(())
}

/// A machine that is cut off closes nothing: connections through the path that was cut stay silent
/// and only new ones get through.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_went_silent_is_made_anew() -> anyhow::Result<()> {
    let server = server().await?;
    let path = Path::to(server, Duration::ZERO).await?;
    let prefix = prefix();
    let connect = || Redis::new(&format!("redis://{}", path.address).into(), &prefix);
    let nodes = Nodes::sharing(connect()?, connect()?).await?;
    nodes.share_a_bucket().await?;
    path.cut();
    nodes.share_a_bucket().await
}

/// To connect takes longer than a question may: the connection is made all the same, and found ready.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_far_away_is_reached() -> anyhow::Result<()> {
    let path = Path::to(server().await?, Duration::from_millis(150)).await?;
    let prefix = prefix();
    let connect = || Redis::new(&format!("redis://{}", path.address).into(), &prefix);
    let nodes = Nodes::sharing(connect()?, connect()?).await?;
    nodes.share_a_bucket().await
}

/// The address of the Redis that all tests share.
async fn server() -> anyhow::Result<String> {
    let url = testkit::redis_url().await?;
    Ok(url
        .trim_start_matches("redis://")
        .trim_end_matches('/')
        .to_owned())
}

/// A way to a server that can be cut without anybody being told.
struct Path {
    address: std::net::SocketAddr,
    cut: tokio::sync::watch::Sender<u32>,
}

impl Path {
    async fn to(server: String, first_byte_after: Duration) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (cut, cuts) = tokio::sync::watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (server, mut cuts) = (server.clone(), cuts.clone());
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    tokio::time::sleep(first_byte_after).await;
                    let mut server = TcpStream::connect(server).await?;
                    tokio::select! {
                        copied = tokio::io::copy_bidirectional(&mut client, &mut server) => copied.map(|_| ()),
                        // Both ends stay open and hear nothing more, for as long as the test lasts.
                        _ = cuts.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Ok(Self { address, cut })
    }

    fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

/// `rediss://` is spoken with what is built in: the first bytes are those of a TLS handshake.
#[tokio::test(flavor = "multi_thread")]
async fn a_url_with_tls_needs_nothing_else() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("rediss://{}", listener.local_addr()?);
    let redis = Redis::new(&url.into(), "chatx:")?;
    let nodes = Nodes::sharing(redis.clone(), redis).await?;
    let accepted = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        tokio::io::AsyncReadExt::read_u8(&mut stream).await
    });
    assert!(
        nodes.one.check(SLOW, "key").await.is_ok(),
        "nobody waits for it"
    );
    const TLS_HANDSHAKE: u8 = 0x16;
    assert_eq!(accepted.await??, TLS_HANDSHAKE);
    Ok(())
}
