//! What begins with a slash: the few things that are done seldom enough to be written out.

use super::{
    happening::Effect,
    state::{Chat, Sheet, Sure},
};

/// Every command: its name, what follows it, and what it does.
pub(super) const NAMES: [(&str, &str, &str); 10] = [
    (
        "/join",
        "[room]",
        "find a room, or become a member of this one",
    ),
    ("/create", "name", "make a public room"),
    ("/dm", "names", "talk to people alone"),
    ("/leave", "", "stop being a member of this room"),
    ("/file", "path", "send a file of this machine"),
    ("/topic", "words", "say what this room is about"),
    ("/search", "words", "look for words in all your rooms"),
    ("/go", "room", "show one of your rooms"),
    ("/help", "", "show the keys"),
    ("/quit", "", "end the program"),
];

/// Does what a command says.
pub(super) fn run(chat: &mut Chat, text: &str) -> Vec<Effect> {
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let Some(room) = chat.open else {
        return Vec::new();
    };
    match name {
        "/join" if rest.is_empty() => chat.finds(String::new()),
        "/join" => vec![Effect::JoinNamed(rest.to_owned())],
        "/create" if !rest.is_empty() => vec![Effect::Create(rest.to_owned())],
        "/dm" if !rest.is_empty() => {
            let names = rest.split([' ', ',']).filter(|name| !name.is_empty());
            vec![Effect::Direct(
                names
                    .map(|name| name.trim_start_matches('@').to_lowercase())
                    .collect(),
            )]
        }
        "/leave" => chat.opens(Sheet::Sure(Sure::Leave(room))),
        "/file" if !rest.is_empty() => {
            chat.say(format!("sending {rest}…"), false);
            vec![Effect::SendFile(room, rest.to_owned())]
        }
        "/topic" if !rest.is_empty() => vec![Effect::Topic(room, rest.to_owned())],
        "/search" => chat.searches(rest.to_owned()),
        "/go" => match chat.matching(rest).first().map(|room| room.id) {
            Some(id) => chat.enter(id),
            None => chat.finds(rest.to_owned()),
        },
        "/help" => chat.opens(Sheet::Help),
        "/quit" => vec![Effect::Quit],
        _ => {
            // It is given back: what somebody wrote is not lost over a slash.
            if let Some(room) = chat.shown_mut() {
                room.compose.insert(text);
            }
            chat.say(
                format!(
                    "no command {name} like this; /help shows them, // begins a text with a slash"
                ),
                true,
            );
            Vec::new()
        }
    }
}
