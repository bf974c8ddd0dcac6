//! Coordinators come, freeze, die and go, and everybody who looks at the ring sees the same.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, anyhow, ensure};
use chatx_e2e::{Http, PATIENCE, Person, unlimited, until_logged};
use protocol::nodes::{NodeList, NodeState};
use serde_json::json;
use testkit::{Chatx, ChatxSetup, Ground};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// Coordinators by their names, and two processes that look at them, all on one PostgreSQL.
struct Fleet {
    coordinators: BTreeMap<&'static str, Chatx>,
    first: Chatx,
    second: Chatx,
    /// A server admin, at each of the two.
    admin: [Person; 2],
    ground: Ground,
}

impl Fleet {
    async fn start<const N: usize>(names: [&'static str; N]) -> Result<Self> {
        let ground = Ground::new().await?;
        let first = ground.handlers().start().await?;
        let admin = Person::register(&Http::new(first.address()), "root").await?;
        let second = ground.handlers().set("CHATX_ADMINS", &admin.username);
        let second = second.start().await?;
        let at_second = admin.log_in(&Http::new(second.address())).await?;
        let mut coordinators = BTreeMap::new();
        for name in names {
            coordinators.insert(name, coordinator(&ground, name).start().await?);
        }
        Ok(Self {
            coordinators,
            first,
            second,
            admin: [admin, at_second],
            ground,
        })
    }

    fn at(&mut self, name: &str) -> &mut Chatx {
        self.coordinators.get_mut(name).expect("it was started")
    }

    async fn nodes(&self) -> Result<NodeList> {
        let seen = self.admin[1].http.get("/v1/admin/nodes").await?;
        Ok(serde_json::from_value(seen.expect(200)?)?)
    }

    /// Waits until the admin sees these nodes in these states.
    async fn until(&self, expected: &[(&str, NodeState)]) -> Result<()> {
        let mut seen = Vec::new();
        let seeing = async {
            loop {
                let nodes = self.nodes().await?.nodes;
                seen = nodes
                    .into_iter()
                    .map(|node| (node.name, node.state))
                    .collect();
                if seen
                    .iter()
                    .map(|(name, state)| (name.as_str(), *state))
                    .eq(expected.iter().copied())
                {
                    return anyhow::Ok(());
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        match timeout(PATIENCE, seeing).await {
            Ok(answer) => answer,
            Err(_) => Err(anyhow!("expected {expected:?}, saw {seen:?}")),
        }
    }

    /// Who owns each of the rooms, by name, once both processes that look say the same of all of them,
    /// and name only `owners`, and each of those. They are asked room by room, and may learn of a node
    /// in between: what counts is what they say twice.
    async fn ring(&self, rooms: &[Uuid], owners: &[&str]) -> Result<Vec<String>> {
        let mut last = [Vec::new(), Vec::new()];
        let asking = async {
            loop {
                let mut views = [Vec::new(), Vec::new()];
                for (view, admin) in views.iter_mut().zip(&self.admin) {
                    for room in rooms {
                        view.push(self.owner(admin, *room).await?);
                    }
                }
                let [one, other] = &views;
                let is_owned = |name: &&str| one.iter().any(|owner| owner == *name);
                let agreed =
                    one == other && one.iter().all(|owner| owners.contains(&owner.as_str()));
                if agreed && views == last && owners.iter().all(is_owned) {
                    let [ring, _] = views;
                    return anyhow::Ok(ring);
                }
                last = views;
            }
        };
        match timeout(PATIENCE, asking).await {
            Ok(ring) => ring,
            Err(_) => Err(anyhow!("expected {owners:?} to own all, saw {last:?}")),
        }
    }

    /// The node whose url is named for `room`.
    async fn owner(&self, admin: &Person, room: Uuid) -> Result<String> {
        let answer = admin
            .http
            .post("/v1/socket", json!({ "room": room.to_string() }))
            .await?;
        let invited = answer.expect(201)?;
        let url = invited["url"].as_str().context("a url")?;
        let owner = self
            .coordinators
            .iter()
            .find(|(_, chatx)| url.starts_with(&chatx.socket_url()));
        Ok(owner
            .with_context(|| format!("nobody is at {url}"))?
            .0
            .to_string())
    }
}

/// The last one has twice the share of the others.
fn coordinator(ground: &Ground, name: &str) -> ChatxSetup {
    let weight = if name == "c" { "2" } else { "1" };
    ground.coordinator(name).set("CHATX_NODE_WEIGHT", weight)
}

async fn until_ready(chatx: &Chatx, status: u16, says: &str) -> Result<()> {
    let http = Http::new(chatx.address());
    let asking = async {
        loop {
            let answer = http.get("/readyz").await?;
            if answer.status == status && answer.body.to_string().contains(says) {
                return anyhow::Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let asked = timeout(PATIENCE, asking).await;
    asked.with_context(|| format!("/readyz never was {status} with `{says}`"))?
}

use NodeState::{Dead, Draining, Live};

#[tokio::test(flavor = "multi_thread")]
async fn the_rooms_of_a_node_that_dies_or_drains_go_to_the_others() -> Result<()> {
    let mut fleet = Fleet::start(["a", "b", "c"]).await?;
    fleet
        .until(&[("a", Live), ("b", Live), ("c", Live)])
        .await?;
    let c = fleet.nodes().await?.nodes.remove(2);
    assert_eq!((c.public_url, c.weight), (fleet.at("c").url(), 2));
    let rooms: Vec<_> = (0..40).map(|_| Uuid::new_v4()).collect();
    let all = fleet.ring(&rooms, &["a", "b", "c"]).await?;

    fleet.at("a").kill_9()?;
    fleet
        .until(&[("a", Dead), ("b", Live), ("c", Live)])
        .await?;
    let without_a = fleet.ring(&rooms, &["b", "c"]).await?;
    for (before, after) in all.iter().zip(&without_a) {
        assert!(
            before == "a" || before == after,
            "{before} lost a room to {after}"
        );
    }

    // A socket that stays keeps its node draining until the drain time is over.
    let at_b = Http::new(fleet.at("b").address());
    let socket = fleet.admin[1].at(&at_b).socket().await?;
    fleet.at("b").signal("TERM")?;
    fleet
        .until(&[("a", Dead), ("b", Draining), ("c", Live)])
        .await?;
    until_ready(fleet.at("b"), 503, "stopping").await?;
    fleet.ring(&rooms, &["c"]).await?;
    drop(socket);
    let status = fleet.at("b").until_ended().await?;
    assert!(status.success(), "{status}");
    fleet.until(&[("a", Dead), ("c", Live)]).await?;

    let nodes = || fleet.ground.role("nodes").set("CHATX_LOG", "error");
    let (status, table) = nodes().run_to_its_end().await?;
    assert!(status.success(), "{table}");
    let lines: Vec<Vec<_>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert_eq!(
        (&lines[1][..3], &lines[2][..3]),
        (&["a", "dead", "1"][..], &["c", "live", "2"][..])
    );
    let (_, json) = nodes().argument("--json").run_to_its_end().await?;
    let listed: NodeList = serde_json::from_str(&json)?;
    assert_eq!(listed.nodes[0], fleet.nodes().await?.nodes[0]);

    // Under its name it gets back what it had.
    fleet.at("a").restart().await?;
    fleet.until(&[("a", Live), ("c", Live)]).await?;
    let again = fleet.ring(&rooms, &["a", "c"]).await?;
    for (before, after) in all.iter().zip(&again) {
        assert!(
            before == "b" || before == after,
            "{before} lost a room to {after}"
        );
    }
    let refused = fleet.admin[0].at(&Http::new(fleet.first.address()));
    assert_eq!(
        refused.http.get("/v1/admin/nodes").await?.status,
        403,
        "no admin there"
    );
    assert_eq!(
        Http::new(fleet.second.address())
            .get("/readyz")
            .await?
            .status,
        200
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_freezes_or_loses_its_name_says_that_it_does_not_count() -> Result<()> {
    let mut fleet = Fleet::start(["a", "b"]).await?;
    fleet.until(&[("a", Live), ("b", Live)]).await?;
    fleet.at("a").signal("STOP")?;
    fleet.until(&[("a", Dead), ("b", Live)]).await?;
    fleet.at("a").signal("CONT")?;
    fleet.until(&[("a", Live), ("b", Live)]).await?;
    until_ready(fleet.at("a"), 200, "ok").await?;
    until_logged(fleet.at("a"), "this node counts as dead", 1).await?;
    until_logged(fleet.at("a"), "count this one again", 1).await?;

    let mut usurper = coordinator(&fleet.ground, "b").start().await?;
    until_ready(fleet.at("b"), 503, "another process took this node's name").await?;
    until_ready(&usurper, 200, "ok").await?;
    assert!(usurper.terminate().await?.success());
    until_ready(fleet.at("b"), 200, "ok").await?;
    fleet.until(&[("a", Live), ("b", Live)]).await?;
    let nodes = fleet.nodes().await?.nodes;
    assert_eq!(nodes[1].public_url, fleet.at("b").url());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_its_own_is_a_cluster_of_one() -> Result<()> {
    let chatx = unlimited().start().await?;
    until_ready(&chatx, 200, "ok").await?;
    let nodes = |directory: String| {
        let nodes = Chatx::role("nodes")
            .argument("--json")
            .set("CHATX_LOG", "error");
        nodes.set("CHATX_DATA_DIR", directory)
    };
    let directory = chatx.data_directory().display().to_string();
    let one = timeout(PATIENCE, async {
        loop {
            let (status, said) = nodes(directory.clone()).run_to_its_end().await?;
            ensure!(status.success(), "{said}");
            let mut list: NodeList = serde_json::from_str(&said)?;
            if let Some(one) = list.nodes.pop() {
                return Ok(one);
            }
        }
    });
    let one = one.await??;
    assert_eq!((one.public_url, one.state), (chatx.url(), Live));
    // Where there is no store, none is made.
    let empty = tempfile::tempdir()?;
    let (status, said) = nodes(empty.path().display().to_string())
        .run_to_its_end()
        .await?;
    assert!(
        !status.success() && said.contains("there is no database"),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(empty.path())?.count(), 0);
    Ok(())
}
