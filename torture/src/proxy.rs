//! A link that can be cut: everything between two processes goes through one of these, which passes
//! bytes on, holds them back in one direction or both, or slows them down. It knows nothing of what it
//! carries but, where links between nodes begin, the name of who dials.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

/// What happens to bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flow {
    /// They pass.
    #[default]
    Open,
    /// They wait; nobody is told. What waits passes once the link is mended.
    Held,
    /// They pass so much later.
    Slow(Duration),
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// From who dials.
    pub(crate) there: Flow,
    /// To who dials.
    pub(crate) back: Flow,
}

impl Way {
    /// Nothing passes.
    pub(crate) const CUT: Self = Self {
        there: Flow::Held,
        back: Flow::Held,
    };

    /// Everything passes, so much later in each direction.
    pub(crate) const fn slow(delay: Duration) -> Self {
        Self {
            there: Flow::Slow(delay),
            back: Flow::Slow(delay),
        }
    }
}

/// Whether the name of who dials is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialers {
    /// All are treated alike.
    Alike,
    /// The head of the first request says who it is.
    Named,
}

/// The header of a request by which a node says its name.
const NODE_HEADER: &str = "chatx-node:";
/// A head is shorter than this, and comes sooner.
const HEAD_MAX_BYTES: usize = 8 * 1_024;
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// A link. It ends with this value.
pub(crate) struct Proxy {
    address: SocketAddr,
    link: Arc<Link>,
    task: JoinHandle<()>,
}

struct Link {
    target: SocketAddr,
    dialers: Dialers,
    /// What holds for whom; under no name what holds for everybody else.
    ways: watch::Sender<BTreeMap<Option<String>, Way>>,
    open: Mutex<Open>,
}

/// The connections that pass through.
#[derive(Default)]
struct Open {
    count: u64,
    /// Each with the port from which its target sees it come, and what ends it.
    connections: HashMap<u64, (u16, Arc<Notify>)>,
}

impl Proxy {
    /// A link to `target` with an address of its own.
    ///
    /// # Errors
    /// When there is no port to be had.
    pub(crate) async fn start(target: SocketAddr, dialers: Dialers) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("no port for a proxy")?;
        let address = listener.local_addr()?;
        let link = Arc::new(Link {
            target,
            dialers,
            ways: watch::Sender::default(),
            open: Mutex::default(),
        });
        let accepting = Arc::clone(&link);
        let task = tokio::spawn(async move {
            loop {
                // Without a file for it a connection waits until there is one.
                match listener.accept().await {
                    Ok((socket, _)) => drop(tokio::spawn(carry(Arc::clone(&accepting), socket))),
                    Err(_) => sleep(Duration::from_millis(20)).await,
                }
            }
        });
        Ok(Self {
            address,
            link,
            task,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on this holds, for whom `who` names or for all who are not named.
    pub(crate) fn set(&self, who: Option<&str>, way: Way) {
        self.link.ways.send_modify(|ways| {
            ways.insert(who.map(str::to_owned), way);
        });
    }

    /// Everything passes again.
    pub(crate) fn mend(&self) {
        self.link.ways.send_modify(BTreeMap::clear);
    }

    /// Ends every connection; new ones are taken.
    pub(crate) fn reset(&self) {
        for (_, end) in self.link.lock().connections.values() {
            end.notify_one();
        }
    }

    /// The ports from which the target sees connections come.
    pub(crate) fn ports(&self) -> Vec<u16> {
        let open = self.link.lock();
        open.connections.values().map(|(port, _)| *port).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.reset();
    }
}

impl Link {
    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().expect("nothing panics while holding this")
    }

    fn way(ways: &BTreeMap<Option<String>, Way>, who: &Option<String>) -> Way {
        ways.get(who)
            .or_else(|| ways.get(&None))
            .copied()
            .unwrap_or_default()
    }
}

/// Takes a connection to its end. Errors are ends too: each side learns of the other's.
async fn carry(link: Arc<Link>, mut socket: TcpStream) {
    let (who, head) = match link.dialers {
        Dialers::Alike => (None, Vec::new()),
        Dialers::Named => match timeout(HEAD_WITHIN, read_head(&mut socket)).await {
            Ok(Some(head)) => (name_in(&head), head),
            _ => return,
        },
    };
    // Across a cut link nobody connects.
    let mut ways = link.ways.subscribe();
    let is_open = |way: Way| way.there != Flow::Held && way.back != Flow::Held;
    if ways
        .wait_for(|ways| is_open(Link::way(ways, &who)))
        .await
        .is_err()
    {
        return;
    }
    let Ok(target) = TcpStream::connect(link.target).await else {
        return;
    };
    let Ok(port) = target.local_addr().map(|address| address.port()) else {
        return;
    };
    let _ = (socket.set_nodelay(true), target.set_nodelay(true));
    let end = Arc::new(Notify::new());
    let number = {
        let mut open = link.lock();
        open.count += 1;
        let number = open.count;
        open.connections.insert(number, (port, Arc::clone(&end)));
        number
    };
    let (from_dialer, to_dialer) = socket.into_split();
    let (from_target, mut to_target) = target.into_split();
    let flow = |of: fn(Way) -> Flow| {
        let (ways, who) = (link.ways.subscribe(), who.clone());
        Valve { ways, who, of }
    };
    if to_target.write_all(&head).await.is_ok() {
        tokio::select! {
            () = pump(from_dialer, to_target, flow(|way| way.there)) => {}
            () = pump(from_target, to_dialer, flow(|way| way.back)) => {}
            () = end.notified() => {}
        }
    }
    link.lock().connections.remove(&number);
}

/// One direction of one connection.
struct Valve {
    ways: watch::Receiver<BTreeMap<Option<String>, Way>>,
    who: Option<String>,
    of: fn(Way) -> Flow,
}

impl Valve {
    /// Waits until bytes may pass.
    async fn pass(&mut self) {
        loop {
            let way = Link::way(&self.ways.borrow_and_update(), &self.who);
            match (self.of)(way) {
                Flow::Open => return,
                Flow::Slow(delay) => return sleep(delay).await,
                Flow::Held => {
                    if self.ways.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut valve: Valve) {
    let mut buffer = vec![0; 16 * 1_024];
    while let Ok(count) = from.read(&mut buffer).await {
        // The end of a connection does not get through a cut link either.
        valve.pass().await;
        if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// The first bytes, up to the end of the first head.
async fn read_head(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut chunk = [0; 1_024];
    while head.len() < HEAD_MAX_BYTES {
        let count = socket.read(&mut chunk).await.ok()?;
        head.extend_from_slice(&chunk[..count]);
        if head.windows(4).any(|four| four == b"\r\n\r\n") {
            return Some(head);
        }
        if count == 0 {
            return None;
        }
    }
    Some(head)
}

/// The name that a head gives.
fn name_in(head: &[u8]) -> Option<String> {
    String::from_utf8_lossy(head).lines().find_map(|line| {
        let name = line.to_ascii_lowercase();
        name.strip_prefix(NODE_HEADER)
            .map(|name| name.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers every byte with itself.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = socket.into_split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn said(socket: &mut TcpStream, word: &[u8]) -> Vec<u8> {
        socket.write_all(word).await.unwrap();
        let mut heard = vec![0; word.len()];
        socket.read_exact(&mut heard).await.unwrap();
        heard
    }

    #[tokio::test]
    async fn what_is_held_comes_once_the_link_is_mended() {
        let proxy = Proxy::start(echo().await, Dialers::Alike).await.unwrap();
        let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(said(&mut socket, b"one").await, b"one");
        for way in [
            Way::CUT,
            Way {
                there: Flow::Held,
                ..Way::default()
            },
            Way {
                back: Flow::Held,
                ..Way::default()
            },
        ] {
            proxy.set(None, way);
            let silence = timeout(Duration::from_millis(100), said(&mut socket, b"two")).await;
            assert!(silence.is_err(), "nothing comes across {way:?}");
            proxy.mend();
            let mut heard = [0; 3];
            socket.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"two");
        }
        assert_eq!(proxy.ports().len(), 1);
        proxy.reset();
        assert_eq!(socket.read(&mut [0; 1]).await.unwrap_or(0), 0, "it ends");
    }

    #[tokio::test]
    async fn one_dialer_is_cut_off_and_another_is_not() {
        let proxy = Proxy::start(echo().await, Dialers::Named).await.unwrap();
        proxy.set(Some("c1"), Way::CUT);
        let head = |name: &str| format!("GET / HTTP/1.1\r\nChatX-Node: {name}\r\n\r\n");
        let mut other = TcpStream::connect(proxy.address()).await.unwrap();
        let word = head("c2");
        assert_eq!(said(&mut other, word.as_bytes()).await, word.as_bytes());
        let mut cut = TcpStream::connect(proxy.address()).await.unwrap();
        let word = head("c1");
        let silence = timeout(Duration::from_millis(100), said(&mut cut, word.as_bytes())).await;
        assert!(silence.is_err());
    }
}
