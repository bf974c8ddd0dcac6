//! One room with many sockets at a steady pace: how long a message takes to each of them.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::{
    fanout::engines,
    report::{Aim, Figure, Series, quantile},
    side::{Scene, sides},
};

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Plan {
    #[arg(long, default_value_t = 1_000)]
    pub(crate) subscribers: usize,
    /// Messages a second
    #[arg(long, default_value_t = 5)]
    pub(crate) rate: u32,
    #[arg(long, default_value_t = 5)]
    pub(crate) seconds: u64,
    #[arg(long, default_value_t = 5)]
    pub(crate) runs: usize,
    /// Leaves PostgreSQL out
    #[arg(long)]
    pub(crate) sqlite_only: bool,
}

pub(crate) async fn run(plan: &Plan) -> Result<Vec<Figure>> {
    let scene = Scene {
        rooms: 1,
        members: plan.subscribers,
    };
    let mut sides = sides(scene, engines(plan.sqlite_only)).await?;
    let fresh = |sides: &[_]| -> Vec<_> { sides.iter().map(Series::of_side).collect() };
    let (mut p50, mut p99) = (fresh(&sides), fresh(&sides));
    let (pause, count) = (
        Duration::from_secs(1) / plan.rate,
        u64::from(plan.rate) * plan.seconds,
    );
    for run in 0..plan.runs {
        for (number, side) in sides.iter_mut().enumerate() {
            let took = side.steadily(pause, count);
            let took = took.with_context(|| side.name.clone())?;
            let (half, most) = (quantile(&took, 0.5), quantile(&took, 0.99));
            println!(
                "  run {}: {:<18} p50 {half:>6.2} ms, p99 {most:>6.2} ms",
                run + 1,
                side.name
            );
            p50[number].runs.push(half);
            p99[number].runs.push(most);
        }
    }
    let what = format!("{} messages/s × {}", plan.rate, plan.subscribers);
    let figure = |measure, series, aim| Figure {
        part: "steady",
        what: what.clone(),
        measure,
        unit: "ms",
        series,
        aim,
    };
    Ok(vec![
        figure("delivery latency, p50", p50, None),
        figure("delivery latency, p99", p99, Some(Aim::TimesAtMost(1.15))),
    ])
}
