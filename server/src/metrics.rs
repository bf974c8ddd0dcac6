//! `/metrics` in the Prometheus format. What is counted is decided where it happens.

use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::{Router, routing::get};
use http::header;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Seconds, from a cached read to a client that gave up.
const BUCKETS_S: [f64; 12] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];
/// How often what was observed is folded into its buckets, so that it does not pile up unread.
const UPKEEP: Duration = Duration::from_secs(5);

/// Reads what the process has counted.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts counting, for the whole process.
    ///
    /// # Errors
    /// When something counts already.
    pub fn start(stop: CancellationToken) -> Result<Self> {
        let seconds = Matcher::Suffix("_seconds".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &BUCKETS_S)?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder)
            .ok()
            .context("metrics are recorded already")?;
        tokio::spawn(keep_up(handle.clone(), stop));
        Ok(Self(handle))
    }

    /// The route that shows it.
    pub fn router(&self) -> Router {
        let handle = self.0.clone();
        let show = async move || {
            (
                [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
                handle.render(),
            )
        };
        Router::new().route("/metrics", get(show))
    }
}

async fn keep_up(handle: PrometheusHandle, stop: CancellationToken) {
    let mut ticks = interval(UPKEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        handle.run_upkeep();
    }
}
