//! What grows with what: the cost of a delivery with the room, of a message with the rooms beside it, and with the nodes.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::{
    bulk::{OWN, Store},
    fanout::{all_flat_out, series},
    idle::many_rooms,
    report::{Aim, Figure, Role},
    servers::{
        chatx::{Engine, Node, Rooms},
        fleet::Fleet,
    },
    side::{FlatOut, Scene, Side},
};

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Plan {
    #[arg(long, value_delimiter = ',', default_value = "100,5000")]
    pub(crate) subscribers: Vec<usize>,
    /// Rooms that are live, each with a socket in it
    #[arg(long, value_delimiter = ',', default_value = "0,1000,100000")]
    pub(crate) rooms: Vec<usize>,
    #[arg(long, value_delimiter = ',', default_value = "1,3")]
    pub(crate) nodes: Vec<usize>,
    #[arg(long, default_value_t = 3)]
    pub(crate) seconds: u64,
    #[arg(long, default_value_t = 5)]
    pub(crate) runs: usize,
}

/// As deep as in `fanout`.
const WINDOW: u64 = 8;
/// How long a first talk is, of which nothing is counted: everything is loaded, and buffers have grown.
const WARM_UP: Duration = Duration::from_secs(1);

pub(crate) async fn run(plan: &Plan) -> Result<Vec<Figure>> {
    Ok(vec![
        with_subscribers(plan).await.context("subscribers")?,
        with_rooms(plan).await.context("rooms")?,
        with_nodes(plan).await.context("nodes")?,
    ])
}

async fn with_subscribers(plan: &Plan) -> Result<Figure> {
    let mut sides = Vec::new();
    for &members in &plan.subscribers {
        let scene = Scene { rooms: 1, members };
        let mut side = Side::chatx(scene, Engine::Sqlite).await?;
        rename(&mut side, format!("chatx, {members} sockets"), sides.len());
        let sizes = side.sizes()?;
        sides.push(side);
        let mut floor = Side::stand(scene, "floor", sizes)?;
        floor.name = format!("floor, {members} sockets");
        floor.role = Role::Other;
        sides.push(floor);
    }
    let flat = all_flat_out(&mut sides, WINDOW, plan.seconds, plan.runs)?;
    Ok(Figure {
        part: "growth",
        what: String::from("a delivery in a larger room"),
        measure: "server CPU per delivery",
        unit: "µs",
        series: series(&sides, &flat, FlatOut::cpu_us_per_delivery),
        aim: Some(Aim::TimesAtMost(1.2)),
    })
}

async fn with_rooms(plan: &Plan) -> Result<Figure> {
    let scene = Scene {
        rooms: 10,
        members: 10,
    };
    let mut sides = Vec::new();
    for &rooms in &plan.rooms {
        let node = Node::start(Engine::Sqlite).await?;
        let furnished = node.furnish(scene.rooms, scene.members).await?;
        let ids = Store::open(&node).await?.make_rooms(&OWN, rooms).await?;
        let beside = many_rooms(&node, &furnished, &ids)?;
        let mut side = talk(scene, node, &furnished)?;
        rename(&mut side, format!("chatx, {rooms} more rooms"), sides.len());
        side.crowd.join(beside, 1)?;
        side.flat_out(1, WARM_UP)?;
        sides.push(side);
    }
    let flat = all_flat_out(&mut sides, 1, plan.seconds, plan.runs)?;
    Ok(Figure {
        part: "growth",
        what: String::from("a message with more rooms live"),
        measure: "server CPU per message",
        unit: "µs",
        series: series(&sides, &flat, FlatOut::cpu_us_per_message),
        aim: Some(Aim::TimesAtMost(1.1)),
    })
}

/// Small rooms, whose sockets are spread over all nodes.
async fn with_nodes(plan: &Plan) -> Result<Figure> {
    let scene = Scene {
        rooms: 100,
        members: 10,
    };
    let mut sides = Vec::new();
    for &nodes in &plan.nodes {
        let fleet = Fleet::start(nodes, false).await?;
        fleet.pin_to(0)?;
        let rooms = Rooms::make(&fleet.handlers.address(), scene.rooms, scene.members).await?;
        let entry =
            |(room, member)| rooms.entry(&fleet.coordinator(member)?.address(), member, room);
        let entries = scene.places().map(entry).collect::<Result<Vec<_>>>()?;
        let meter = fleet.meter()?;
        let named = (format!("chatx, {nodes} coordinators"), Role::Ours);
        let mut side = Side::of(scene, named, entries, meter, rooms.ids, Box::new(fleet))?;
        if sides.is_empty() {
            side.role = Role::Base;
        }
        side.flat_out(1, WARM_UP)?;
        sides.push(side);
    }
    let flat = all_flat_out(&mut sides, 1, plan.seconds, plan.runs)?;
    Ok(Figure {
        part: "growth",
        what: String::from("a message in small rooms, more nodes"),
        measure: "coordinators' CPU per message",
        unit: "µs",
        series: series(&sides, &flat, FlatOut::cpu_us_per_message),
        aim: Some(Aim::TimesAtMost(1.2)),
    })
}

fn talk(scene: Scene, node: Node, rooms: &Rooms) -> Result<Side> {
    let address = node.chatx.address();
    let entries = scene
        .places()
        .map(|(room, member)| rooms.entry(&address, member, room));
    let entries = entries.collect::<Result<Vec<_>>>()?;
    let (meter, ids) = (node.meter()?, rooms.ids.clone());
    Side::of(
        scene,
        (String::new(), Role::Ours),
        entries,
        meter,
        ids,
        Box::new(node),
    )
}

/// The first of its kind is what the others are compared with.
fn rename(side: &mut Side, name: String, number: usize) {
    side.name = name;
    side.role = if number == 0 { Role::Base } else { Role::Ours };
}
