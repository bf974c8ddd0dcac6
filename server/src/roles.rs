//! `serve`, `handlers` and `coordinator`: which routes stand behind which listener, and in which order
//! a process stops.

use std::time::Duration;

use anyhow::Result;
use axum::Router;
use coordinator::Coordinator;
use shared::{Settings, hints::Hints};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    arguments::Task,
    health,
    listener::Listener,
    metrics::Metrics,
    page,
    parts::{Listeners, Parts, bring_up_to_date},
    stop,
};

/// How much longer than its drain a process may take to end.
const AFTER_DRAIN: Duration = Duration::from_secs(5);
/// What of that is kept for closing the store.
const LAST_WRITES: Duration = Duration::from_millis(500);

/// Everything in one process.
///
/// # Errors
/// When it cannot start.
pub async fn serve(settings: Settings) -> Result<()> {
    let stop = stop::on_signal()?;
    let metrics = Metrics::start(stop.clone())?;
    let (hints, hinted) = Hints::in_process();
    let parts = Parts::make(Task::Serve, settings, Some(hints)).await?;
    bring_up_to_date(&parts.app.store).await?;
    parts.app.load_keys().await?;
    let coordinator = Coordinator::start(parts.app.clone(), hinted, &parts.tasks, &parts.end);
    let clients = handlers::router(parts.app.clone())
        .merge(coordinator.router())
        .merge(page::router());
    let routes = Routes {
        clients,
        internal: coordinator.internal_router(),
    };
    tracing::info!("ready: open {} in a browser", parts.app.settings.public_url);
    run(
        Task::Serve,
        parts,
        routes,
        &metrics,
        Some(coordinator),
        stop,
    )
    .await
}

/// HTTP only: API and web page.
///
/// # Errors
/// When it cannot start.
pub async fn handlers(settings: Settings) -> Result<()> {
    let stop = stop::on_signal()?;
    let metrics = Metrics::start(stop.clone())?;
    let parts = Parts::make(Task::Handlers, settings, None).await?;
    parts.app.watch(&parts.tasks, &parts.end);
    let routes = Routes {
        clients: handlers::router_without_sockets(parts.app.clone()).merge(page::router()),
        internal: Router::new(),
    };
    tracing::info!(
        url = parts.app.settings.public_url,
        "ready: serving HTTP and no sockets"
    );
    run(Task::Handlers, parts, routes, &metrics, None, stop).await
}

/// Sockets, and what other processes of the cluster ask.
///
/// # Errors
/// When it cannot start.
pub async fn coordinator(settings: Settings) -> Result<()> {
    let stop = stop::on_signal()?;
    let metrics = Metrics::start(stop.clone())?;
    let (hints, hinted) = Hints::in_process();
    let parts = Parts::make(Task::Coordinator, settings, Some(hints)).await?;
    let coordinator = Coordinator::start(parts.app.clone(), hinted, &parts.tasks, &parts.end);
    let routes = Routes {
        clients: coordinator
            .router()
            .merge(health::router(parts.app.store.clone())),
        internal: coordinator.internal_router(),
    };
    let settings = &parts.app.settings;
    let (url, internal_url) = (&settings.public_url, &settings.internal_url);
    tracing::info!(
        node = settings.node,
        url,
        internal_url,
        "ready: serving sockets"
    );
    run(
        Task::Coordinator,
        parts,
        routes,
        &metrics,
        Some(coordinator),
        stop,
    )
    .await
}

/// What stands behind the listeners.
struct Routes {
    clients: Router,
    internal: Router,
}

/// Serves until `stop`; then, in this order: is no longer ready, moves sockets away, lets requests end,
/// ends what runs beside them, closes the store.
async fn run(
    task: Task,
    parts: Parts,
    routes: Routes,
    metrics: &Metrics,
    coordinator: Option<Coordinator>,
    stop: CancellationToken,
) -> Result<()> {
    let drained = parts.app.closing.clone();
    let mut listeners = parts.listeners;
    let arrivals = coordinator.as_ref().map(Coordinator::arrivals);
    listeners.clients = listeners.clients.for_sockets(arrivals);
    let mut listening = JoinSet::new();
    for (listener, router) in doors(task, listeners, routes, metrics) {
        let router = health::ready_in(parts.app.cluster.clone(), stop.clone(), router);
        listening.spawn(listener.serve(router, drained.clone()));
    }
    stop.cancelled().await;
    let deadline = Instant::now() + parts.app.settings.drain + AFTER_DRAIN;
    let ending = async {
        if let Some(coordinator) = coordinator {
            coordinator.drain().await;
        }
        drained.cancel();
        while let Some(ended) = listening.join_next().await {
            ended?;
        }
        parts.end.cancel();
        parts.tasks.close();
        parts.tasks.wait().await;
        anyhow::Ok(())
    };
    match timeout_at(deadline - LAST_WRITES, ending).await {
        Ok(ended) => ended?,
        Err(_) => tracing::warn!("what did not end in time is dropped"),
    }
    if timeout_at(deadline, parts.app.store.close()).await.is_err() {
        tracing::warn!("the store did not close in time");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Each listener with its routes. Metrics are asked for at their own listener, else at the internal one;
/// at that of clients only by `serve`, where there may be no other.
fn doors(
    task: Task,
    listeners: Listeners,
    routes: Routes,
    metrics: &Metrics,
) -> Vec<(Listener, Router)> {
    let Listeners {
        clients,
        internal,
        metrics: metrics_listener,
    } = listeners;
    let mut routes = routes;
    let mut doors = Vec::new();
    if let Some(listener) = metrics_listener {
        doors.push((listener, metrics.router()));
    } else if internal.is_some() {
        routes.internal = routes.internal.merge(metrics.router());
    } else if task == Task::Serve {
        routes.clients = routes.clients.merge(metrics.router());
    }
    if let Some(listener) = internal {
        doors.push((listener, routes.internal));
    }
    doors.push((clients, routes.clients));
    doors
}
