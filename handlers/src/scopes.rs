//! Which scope opens which operation to a bot: the table of the contract. What is not in it is for people,
//! so that an operation that is added is closed to bots until somebody says otherwise.

use http::Method;
use protocol::bots::Scope;

/// The scope that a bot needs for `method` at `route`, as the router writes it; nothing if none will do.
pub(crate) fn needed(method: &Method, route: &str) -> Option<Scope> {
    let reads = method.is_safe();
    let read_or_write = |read, write| Some(if reads { read } else { write });
    let path = route.strip_prefix("/v1")?;
    match path {
        "/users" | "/users/me" | "/users/me/rooms" | "/users/{user}" if reads => {
            Some(Scope::RoomsRead)
        }
        "/rooms" | "/rooms/{room}" | "/rooms/{room}/members" => {
            read_or_write(Scope::RoomsRead, Scope::RoomsWrite)
        }
        "/rooms/{room}/members/me"
        | "/rooms/{room}/invites"
        | "/rooms/{room}/invites/{code}"
        | "/dms" => Some(Scope::RoomsWrite),
        "/rooms/{room}/members/{user}" | "/rooms/{room}/bans" | "/rooms/{room}/bans/{user}" => {
            Some(Scope::MembersWrite)
        }
        "/rooms/{room}/messages"
        | "/rooms/{room}/messages/{seq}"
        | "/rooms/{room}/messages/{seq}/history"
        | "/rooms/{room}/messages/{seq}/reactions/{emoji}"
        | "/rooms/{room}/messages/{seq}/pin"
        | "/rooms/{room}/pins" => read_or_write(Scope::MessagesRead, Scope::MessagesWrite),
        "/rooms/{room}/receipts"
        | "/rooms/{room}/read"
        | "/rooms/{room}/events"
        | "/search"
        | "/socket" => Some(Scope::MessagesRead),
        "/rooms/{room}/files" => read_or_write(Scope::MessagesRead, Scope::FilesWrite),
        "/files/{file}" | "/files/{file}/thumbnail" => {
            read_or_write(Scope::MessagesRead, Scope::FilesWrite)
        }
        _ => None,
    }
}
