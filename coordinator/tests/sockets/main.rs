//! Sockets as clients have them: a real listener, a real store, real WebSockets.

mod support;

mod conversation;
mod marks;
mod snapshot;
mod crowd;
mod membership;
mod news;
mod endings;
mod files;
mod presence;
mod outage;
mod bots;
mod cluster;
mod links;
