//! One room with many sockets, flat out: what a delivery costs the server.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::{
    report::{Aim, Figure, Series},
    servers::chatx::Engine,
    side::{FlatOut, Scene, Side, sides},
};

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Plan {
    #[arg(long, default_value_t = 1_000)]
    pub(crate) subscribers: usize,
    /// Messages that the speaker has not seen come back: how deep "flat out" is. With 8 the floor shares about eight
    /// frames a write
    #[arg(long, value_delimiter = ',', default_value = "8,64")]
    pub(crate) windows: Vec<u64>,
    #[arg(long, default_value_t = 3)]
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
    let engines = engines(plan.sqlite_only);
    let mut sides = sides(scene, engines).await?;
    let mut figures = Vec::new();
    for &window in &plan.windows {
        let flat = all_flat_out(&mut sides, window, plan.seconds, plan.runs)?;
        let what = format!("1 room × {}, window {window}", plan.subscribers);
        let aim = (window == 8).then_some(Aim::TimesAtMost(1.1));
        let figure = |measure, unit, aim, value: fn(&FlatOut) -> f64| Figure {
            part: "fanout",
            what: what.clone(),
            measure,
            unit,
            series: series(&sides, &flat, value),
            aim,
        };
        figures.extend([
            figure(
                "server CPU per delivery",
                "µs",
                aim,
                FlatOut::cpu_us_per_delivery,
            ),
            figure("deliveries", "/s", None, FlatOut::deliveries_per_second),
            figure("frames per read", "", None, |flat| flat.frames_per_read),
        ]);
    }
    Ok(figures)
}

pub(crate) fn engines(sqlite_only: bool) -> &'static [Engine] {
    match sqlite_only {
        true => &[Engine::Sqlite],
        false => &[Engine::Sqlite, Engine::Postgres],
    }
}

/// Every side in turn, `runs` times, so that what else the machine does falls on all of them.
pub(crate) fn all_flat_out(
    sides: &mut [Side],
    window: u64,
    seconds: u64,
    runs: usize,
) -> Result<Vec<Vec<FlatOut>>> {
    let mut flat: Vec<Vec<_>> = sides.iter().map(|_| Vec::new()).collect();
    for run in 0..runs {
        for (side, flat) in sides.iter_mut().zip(&mut flat) {
            let seen = side.flat_out(window, Duration::from_secs(seconds));
            let seen = seen.with_context(|| side.name.clone())?;
            println!(
                "  window {window}, run {}: {:<18} {:>6.2} µs a delivery, {:>9.0} deliveries/s, {:>4.1} frames a read",
                run + 1,
                side.name,
                seen.cpu_us_per_delivery(),
                seen.deliveries_per_second(),
                seen.frames_per_read,
            );
            flat.push(seen);
        }
    }
    Ok(flat)
}

pub(crate) fn series(
    sides: &[Side],
    flat: &[Vec<FlatOut>],
    value: fn(&FlatOut) -> f64,
) -> Vec<Series> {
    let each = sides.iter().zip(flat);
    each.map(|(side, flat)| Series::of(&side.name, side.role, flat.iter().map(value).collect()))
        .collect()
}
