//! Sockets as clients have them: a real listener, a real store, real WebSockets.

mod support;

mod conversation;
