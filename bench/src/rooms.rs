//! Many small rooms that all talk: what a delivery costs with all that a message needs on its way, and what a message costs
//! server and database together.

use anyhow::Result;

use crate::{
    fanout::{all_flat_out, engines, series},
    report::{Aim, Figure, Role},
    side::{FlatOut, Scene, sides},
};

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Plan {
    #[arg(long, default_value_t = 100)]
    pub(crate) rooms: usize,
    #[arg(long, default_value_t = 10)]
    pub(crate) members: usize,
    #[arg(long, default_value_t = 3)]
    pub(crate) seconds: u64,
    #[arg(long, default_value_t = 5)]
    pub(crate) runs: usize,
    /// Leaves PostgreSQL out
    #[arg(long)]
    pub(crate) sqlite_only: bool,
}

/// A speaker waits until the message came back.
const WINDOW: u64 = 1;

pub(crate) async fn run(plan: &Plan) -> Result<Vec<Figure>> {
    let scene = Scene {
        rooms: plan.rooms,
        members: plan.members,
    };
    let mut sides = sides(scene, engines(plan.sqlite_only)).await?;
    let flat = all_flat_out(&mut sides, WINDOW, plan.seconds, plan.runs)?;
    let what = format!("{} rooms × {}", plan.rooms, plan.members);
    let per_delivery = Figure {
        part: "rooms",
        what: format!("{what}, stored or not"),
        measure: "server (and database) CPU per delivery",
        unit: "µs",
        series: series(&sides, &flat, FlatOut::cpu_us_per_delivery),
        aim: Some(Aim::TimesAtMost(1.15)),
    };
    let rate = Figure {
        part: "rooms",
        what: what.clone(),
        measure: "deliveries",
        unit: "/s",
        series: series(&sides, &flat, FlatOut::deliveries_per_second),
        aim: None,
    };
    let mut publish = Figure {
        part: "rooms",
        what: format!("{what}, stored and acked"),
        measure: "server and database CPU per publish",
        unit: "µs",
        series: series(&sides, &flat, FlatOut::cpu_us_per_message),
        aim: Some(Aim::AtMost(200.0)),
    };
    publish.series.retain(|series| series.role == Role::Ours);
    Ok(vec![per_delivery, rate, publish])
}
