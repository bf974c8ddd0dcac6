//! A chat on a stage: rooms, people and a screen that can be read.

use std::collections::HashMap;

use client::Delivery;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use protocol::{
    EventId, RoomId, Seq, Timestamp, UserId,
    accounts::UserSummary,
    events::{Event, EventKind},
    messages::{Message, MessageContent, MessageKind, MessageList, Span},
    rooms::{MyRoom, Room, Visibility},
};
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};
use unicode_width::UnicodeWidthStr as _;
use uuid::Uuid;

use super::super::{
    draw::draw,
    happening::{Effect, Input, Link},
    layout::Layout,
    state::{Chat, Me},
    theme::Theme,
};

/// 2025-11-22T08:26:40Z
const START_MS: i64 = 1_763_800_000_000;

/// Somebody.
#[derive(Clone, Copy)]
pub(super) struct Person(u128, &'static str, &'static str);

pub(super) const ADA: Person = Person(1, "ada", "Ada");
pub(super) const BOB: Person = Person(2, "bob", "Bob");

impl Person {
    pub(super) fn summary(self) -> UserSummary {
        UserSummary {
            id: UserId::from_uuid(Uuid::from_u128(self.0)),
            username: self.1.to_owned(),
            display_name: self.2.to_owned(),
        }
    }
}

/// A chat of Ada's, and what it wanted done.
pub(super) struct Stage {
    pub(super) chat: Chat,
    now: Timestamp,
}

impl Stage {
    pub(super) fn new(columns: u16, rows: u16) -> Self {
        let me = Me {
            id: ADA.summary().id,
            username: "ada".to_owned(),
            server: "chat.example".to_owned(),
            zone: TimeZone::UTC,
            run: "run".to_owned(),
        };
        let mut stage = Self {
            chat: Chat::new(me, None),
            now: Timestamp::from_unix_ms(START_MS),
        };
        stage.apply(Input::Size(columns, rows));
        stage.apply(Input::Link(Link::Live));
        stage
    }

    /// In a room where something was said.
    pub(super) fn in_tea() -> Self {
        let mut stage = Self::new(80, 24);
        stage.rooms(&[("Tea", 0)]);
        let page = [
            message("Tea", 1, BOB, "Milk first?"),
            message("Tea", 2, ADA, "Never."),
        ];
        stage.page("Tea", Span::Latest, &page, false);
        stage
    }

    pub(super) fn room(&self, name: &str) -> RoomId {
        room_id(name)
    }

    pub(super) fn apply(&mut self, input: Input) -> Vec<Effect> {
        self.chat.apply(input, self.now)
    }

    /// The rooms that the server lists, each with what is unread.
    pub(super) fn rooms(&mut self, rooms: &[(&str, u64)]) {
        let mine = |(name, unread): &(&str, u64)| MyRoom {
            room: Room {
                id: room_id(name),
                name: (*name).to_owned(),
                topic: format!("all about {}", name.to_lowercase()),
                visibility: Visibility::Public,
                has_password: false,
                members: 2,
                owner_id: None,
                max_members: None,
                history: None,
                slow_mode_s: None,
                head: Some(Seq(2)),
                created_at: None,
                archived_at: None,
                role: None,
                unread: Some(*unread),
                people: Vec::new(),
            },
            read: Seq(2),
            mentions: 0,
            last_message: None,
        };
        self.apply(Input::Rooms(Ok(rooms.iter().map(mine).collect())));
    }

    pub(super) fn page(&mut self, room: &str, span: Span, messages: &[Message], has_more: bool) {
        let head = messages.last().map_or(Seq::ZERO, |message| message.seq);
        let page = MessageList {
            messages: messages.to_vec(),
            head,
            has_more,
        };
        self.apply(Input::Page {
            room: room_id(room),
            span,
            page: Ok(page),
        });
    }

    pub(super) fn delivers(&mut self, room: &str, delivery: Delivery) -> Vec<Effect> {
        self.apply(Input::Delivery(room_id(room), delivery))
    }

    pub(super) fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
        self.apply(Input::Key(KeyEvent::new(code, modifiers)))
    }

    pub(super) fn types(&mut self, text: &str) -> Vec<Effect> {
        text.chars()
            .flat_map(|c| self.key(KeyCode::Char(c), KeyModifiers::NONE))
            .collect()
    }

    pub(super) fn writes(&mut self, text: &str) -> Vec<Effect> {
        let mut effects = self.types(text);
        effects.extend(self.key(KeyCode::Enter, KeyModifiers::NONE));
        effects
    }

    pub(super) fn passes(&mut self, seconds: i64) {
        self.now = Timestamp::from_unix_ms(self.now.unix_ms() + seconds * 1_000);
        self.apply(Input::Tick);
    }

    pub(super) fn buffer(&self, has_colour: bool) -> Buffer {
        let (columns, rows) = self.chat.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let theme = Theme { has_colour };
        terminal
            .draw(|frame| draw(&self.chat, theme, frame))
            .unwrap();
        terminal.backend().buffer().clone()
    }

    /// The screen as text, without spaces at the ends of its rows.
    pub(super) fn screen(&self) -> String {
        rows(&self.buffer(true), 0, 0, self.chat.size).join("\n")
    }

    /// The part of it where the conversation is.
    pub(super) fn talk(&self) -> String {
        let talk = Layout::of(&self.chat).talk;
        rows(
            &self.buffer(true),
            talk.x,
            talk.y,
            (talk.width, talk.height),
        )
        .join("\n")
    }

    /// Every one of these lines, if it is not blank, is somewhere on the screen, in this order.
    pub(super) fn sees(&self, lines: &str) {
        let screen = self.screen();
        let mut rest = screen.as_str();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match rest.find(line) {
                Some(at) => rest = &rest[at + line.len()..],
                None => panic!("not seen, or not in this order: {line}\n{screen}"),
            }
        }
    }
}

fn rows(buffer: &Buffer, x: u16, y: u16, (width, height): (u16, u16)) -> Vec<String> {
    let row = |y: u16| {
        let (mut cells, mut at) = (String::new(), x);
        while at < x + width {
            let symbol = buffer[(at, y)].symbol();
            cells.push_str(symbol);
            // A wide character takes the cell behind it, too.
            at += u16::try_from(symbol.width()).unwrap_or(1).max(1);
        }
        cells.trim_end().to_owned()
    };
    (y..y + height).map(row).collect()
}

fn room_id(name: &str) -> RoomId {
    let known: HashMap<_, _> = [("Tea", 11), ("Coffee", 12)].into();
    RoomId::from_uuid(Uuid::from_u128(known[name]))
}

pub(super) fn message(room: &str, seq: u64, by: Person, body: &str) -> Message {
    Message {
        room: room_id(room),
        seq: Seq(seq),
        id: EventId::from_uuid(Uuid::from_u128(u128::from(seq))),
        kind: MessageKind::Message,
        user: by.summary(),
        at: Timestamp::from_unix_ms(START_MS),
        content: MessageContent {
            body: body.to_owned(),
            ..MessageContent::default()
        },
    }
}

/// An event of which only the kind is to be chosen.
pub(super) fn event(room: &str, seq: u64, by: Person) -> Event {
    said(room, seq, by, "")
}

pub(super) fn said(room: &str, seq: u64, by: Person, body: &str) -> Event {
    let Message {
        room,
        seq,
        id,
        user,
        at,
        content,
        ..
    } = message(room, seq, by, body);
    Event {
        room,
        seq,
        id,
        n: seq.0,
        at,
        user,
        kind: EventKind::Message(content),
    }
}
