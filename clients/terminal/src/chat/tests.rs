//! The chat without a terminal and without a server: what happens goes in, and what is seen comes out.

mod support;

use client::{Delivery, RoomEnded};
use crossterm::event::{KeyCode, KeyModifiers};
use protocol::{
    FileId, Seq,
    events::{Edited, EventKind, Reacted, Target},
    files::File,
    frame::{Online, OnlineUser, PresenceState, TypingFrame, UnsubscribeReason},
    marks::Reaction,
    mentions::Mention,
    messages::Span,
    search::{Hit, HitRoom},
};
use support::{ADA, BOB, Stage, event, message, said};

use super::{
    happening::{Effect, Input, Link},
    kept::Kept,
};

#[test]
fn what_is_said_is_seen_by_day_and_name_and_what_is_unread_is_counted() {
    let mut stage = Stage::new(80, 24);
    stage.rooms(&[("Tea", 0), ("Coffee", 2)]);
    stage.page("Coffee", Span::Latest, &[], false);
    stage.key(KeyCode::Char('n'), KeyModifiers::CONTROL);
    let page = [
        message("Tea", 1, BOB, "Milk first?"),
        message("Tea", 2, BOB, "Or never?"),
        message("Tea", 3, ADA, "Never.\nAsk anybody."),
    ];
    stage.page("Tea", Span::Latest, &page, false);
    stage.sees(
        "
         ada@chat.example   │ Tea — all about tea
         # Coffee         2 │
         # Tea              │
                            │── this is where it begins ──────────
                            │── Saturday 22 November 2025 ────────
                            │08:26 Bob  Milk first?
                            │08:26      Or never?
                            │08:26 Ada  Never.
                            │           Ask anybody.
                            │
                            │> write a message, or / for more
        ",
    );
    let mut called = said("Coffee", 9, BOB, "@ada: black?");
    if let EventKind::Message(content) = &mut called.kind {
        let id = Some(ADA.summary().id);
        content.mentions.push(Mention {
            id,
            username: "ada".to_owned(),
        });
    }
    let effects = stage.delivers("Coffee", Delivery::Event(called));
    assert_eq!(effects, [Effect::Bell]);
    stage.sees(" # Coffee        @3 │");
}

#[test]
fn a_message_is_seen_at_once_and_once_whatever_comes_first() {
    for event_first in [true, false] {
        let mut stage = Stage::in_tea();
        let effects = stage.writes("Good morning");
        let [
            Effect::Typing(..),
            Effect::Typing(_, false),
            Effect::Send(letter),
        ] = effects.as_slice()
        else {
            panic!("{effects:?}")
        };
        let name = letter.client_id.clone();
        stage.sees("…  Good morning");
        stage.sees("sending 1…");
        let mut stored = said("Tea", 5, ADA, "Good morning");
        if let EventKind::Message(content) = &mut stored.kind {
            content.client_id = protocol::text::ClientId::parse(&name).ok();
        }
        let room = stage.room("Tea");
        let answer = Input::Sent {
            room,
            client_id: name,
            answer: Ok(Seq(5)),
        };
        if event_first {
            stage.delivers("Tea", Delivery::Event(stored));
            stage.apply(answer);
        } else {
            stage.apply(answer);
            stage.sees("…  Good morning");
            stage.delivers("Tea", Delivery::Event(stored));
        }
        let screen = stage.screen();
        assert_eq!(screen.matches("Good morning").count(), 1, "{screen}");
        assert!(!screen.contains("sending"), "{screen}");
        assert_eq!(stage.chat.unanswered().count(), 0);
    }
}

#[test]
fn what_is_refused_is_given_back_to_be_written_anew() {
    let mut stage = Stage::in_tea();
    let effects = stage.writes("Psst");
    let Some(Effect::Send(letter)) = effects.last() else {
        panic!("{effects:?}")
    };
    stage.types("and more");
    let (room, client_id) = (letter.room, letter.client_id.clone());
    stage.apply(Input::Sent {
        room,
        client_id,
        answer: Err("you are muted in this room".to_owned()),
    });
    stage.sees("not sent to Tea: you are muted in this room");
    stage.sees("> Psst");
    stage.sees("  and more");
}

#[test]
fn messages_are_looked_at_changed_answered_and_deleted() {
    let mut stage = Stage::in_tea();
    stage.key(KeyCode::Up, KeyModifiers::NONE);
    stage.sees("r reply · t thread · e edit · d delete · ");
    stage.key(KeyCode::Char('e'), KeyModifiers::NONE);
    stage.sees("editing Ada: Never.");
    stage.sees("> Never.");
    let effects = stage.writes(" Ever!");
    let room = stage.room("Tea");
    assert_eq!(
        effects.last(),
        Some(&Effect::Edit(room, Seq(2), "Never. Ever!".to_owned()))
    );

    let mut edited = event("Tea", 3, ADA);
    edited.kind = EventKind::Edit(Edited {
        target: Seq(2),
        body: "Never. Ever!".to_owned(),
        mentions: Vec::new(),
    });
    stage.delivers("Tea", Delivery::Event(edited));
    stage.sees("Ada  Never. Ever! (edited)");

    stage.key(KeyCode::Up, KeyModifiers::NONE);
    stage.key(KeyCode::Up, KeyModifiers::NONE);
    stage.sees("r reply · t thread · d delete · ");
    stage.key(KeyCode::Char('r'), KeyModifiers::NONE);
    stage.sees("answering Bob: Milk first?");
    let effects = stage.writes("Last");
    assert!(
        matches!(effects.last(), Some(Effect::Send(letter)) if letter.reply_to == Some(Seq(1))),
        "{effects:?}"
    );

    stage.key(KeyCode::Up, KeyModifiers::NONE);
    stage.key(KeyCode::Char('d'), KeyModifiers::NONE);
    stage.sees("Delete “Never. Ever!” for everybody?");
    assert_eq!(
        stage.key(KeyCode::Char('y'), KeyModifiers::NONE),
        [Effect::Delete(room, Seq(2))]
    );
    let mut deleted = event("Tea", 4, ADA);
    deleted.kind = EventKind::Delete(Target { target: Seq(2) });
    stage.delivers("Tea", Delivery::Event(deleted));
    stage.sees("Ada  deleted");
    assert!(!stage.screen().contains("Ever"));
}

#[test]
fn a_page_that_was_read_before_a_change_does_not_undo_it() {
    let mut stage = Stage::new(80, 24);
    stage.rooms(&[("Tea", 0)]);
    let mut deleted = event("Tea", 3, ADA);
    deleted.kind = EventKind::Delete(Target { target: Seq(2) });
    stage.delivers("Tea", Delivery::Event(deleted));
    // Its head is 2: the server read it before the message was deleted.
    stage.page(
        "Tea",
        Span::Latest,
        &[message("Tea", 2, ADA, "a secret")],
        false,
    );
    assert!(!stage.screen().contains("secret"), "{}", stage.screen());
}

#[test]
fn what_is_said_while_the_first_page_is_on_its_way_is_no_hole() {
    let mut stage = Stage::new(80, 24);
    stage.rooms(&[("Tea", 0)]);
    stage.delivers("Tea", Delivery::Event(said("Tea", 2, BOB, "Meanwhile.")));
    let page = [message("Tea", 1, BOB, "Before.")];
    stage.page("Tea", Span::Latest, &page, false);
    stage.delivers("Tea", Delivery::Event(said("Tea", 3, BOB, "After.")));
    for said in ["Before.", "Meanwhile.", "After."] {
        stage.sees(said);
    }
}

#[test]
fn further_up_nothing_moves_while_others_talk_and_more_is_read_at_the_top() {
    let mut stage = Stage::new(80, 24);
    stage.rooms(&[("Tea", 0)]);
    let many: Vec<_> = (100..200)
        .map(|seq| message("Tea", seq, BOB, &format!("number {seq}")))
        .collect();
    stage.page("Tea", Span::Latest, &many, true);
    stage.sees("number 199");
    assert_eq!(stage.chat.settle(), [Effect::Keep]);
    for _ in 0..2 {
        stage.key(KeyCode::PageUp, KeyModifiers::NONE);
    }
    let before = stage.talk();
    assert!(
        !before.contains("number 199") && before.contains("number 150"),
        "{before}"
    );
    let effects = stage.delivers("Tea", Delivery::Event(said("Tea", 200, BOB, "two\nrows")));
    assert_eq!((effects.as_slice(), stage.talk()), (&[][..], before));
    stage.sees("1 new below · Esc to the end");
    assert_eq!(stage.chat.settle(), [], "what is not seen is not read");

    let mut asked = Vec::new();
    for _ in 0..8 {
        asked.extend(stage.key(KeyCode::PageUp, KeyModifiers::NONE));
    }
    let room = stage.room("Tea");
    assert_eq!(
        asked,
        [Effect::ReadPage(room, Span::Before(Seq(100)))],
        "a page is asked for once"
    );
    let older: Vec<_> = (1..100)
        .map(|seq| message("Tea", seq, BOB, &format!("number {seq}")))
        .collect();
    stage.page("Tea", Span::Before(Seq(100)), &older, false);
    stage.key(KeyCode::PageUp, KeyModifiers::NONE);
    stage.sees("number 90");
    stage.key(KeyCode::Esc, KeyModifiers::NONE);
    stage.sees("rows");
    assert_eq!(stage.chat.settle(), [Effect::MarkRead(room, Seq(200))]);
}

#[test]
fn somebody_else_is_seen_typing_and_their_comings_and_goings() {
    let mut stage = Stage::new(160, 50);
    stage.rooms(&[("Tea", 0)]);
    stage.page("Tea", Span::Latest, &[], false);
    let room = stage.room("Tea");
    let users = vec![
        OnlineUser {
            user: ADA.summary(),
            state: PresenceState::Online,
        },
        OnlineUser {
            user: BOB.summary(),
            state: PresenceState::Away,
        },
    ];
    stage.delivers("Tea", Delivery::Online(Online { count: 2, users }));
    stage.sees(" 2 here");
    stage.sees("◐ Bob");
    stage.delivers(
        "Tea",
        Delivery::Typing(TypingFrame {
            room,
            user: BOB.summary(),
            on: true,
        }),
    );
    stage.sees("Bob is typing…");
    stage.passes(7);
    assert!(!stage.screen().contains("typing"), "{}", stage.screen());
    let gone = protocol::frame::PresenceFrame {
        room,
        user: BOB.summary(),
        state: PresenceState::Offline,
    };
    stage.delivers("Tea", Delivery::Presence(gone));
    stage.sees(" 1 here");
    assert!(!stage.screen().contains("Bob"));
}

#[test]
fn a_room_that_one_was_removed_from_is_left_and_a_reset_is_read_anew() {
    let mut stage = Stage::in_tea();
    let room = stage.room("Tea");
    let effects = stage.delivers("Tea", Delivery::Reset { head: Seq(900) });
    assert!(
        effects.contains(&Effect::ReadPage(room, Span::Latest)),
        "{effects:?}"
    );
    assert!(!stage.screen().contains("Milk"));
    stage.page(
        "Tea",
        Span::Latest,
        &[message("Tea", 899, BOB, "Anew.")],
        true,
    );
    stage.sees("Bob  Anew.");
    stage.delivers(
        "Tea",
        Delivery::Ended(RoomEnded::Unsubscribed(UnsubscribeReason::Kicked)),
    );
    stage.sees("Tea: the user was removed");
    stage.sees("You are in no room yet.");
}

#[test]
fn drafts_and_messages_without_an_answer_outlive_the_program() {
    let mut stage = Stage::in_tea();
    stage.apply(Input::Link(Link::Waiting));
    stage.writes("said in a tunnel");
    stage.types("half a thou");
    stage.sees("○ reconnecting, 1 to send");
    let kept = Kept::of(&stage.chat, &Kept::default());
    let text = serde_json::to_string(&kept).unwrap();

    let mut kept: Kept = serde_json::from_str(&text).unwrap();
    let mut stage = Stage::in_tea();
    let effects = kept.restore(&mut stage.chat);
    assert!(
        matches!(effects.as_slice(), [Effect::Send(letter)] if letter.body == "said in a tunnel"),
        "{effects:?}"
    );
    stage.sees("…  said in a tunnel");
    stage.sees("> half a thou");
    assert_eq!(kept.restore(&mut stage.chat), [], "nothing is sent twice");
}

#[test]
fn without_colours_everything_is_told_apart_by_weight() {
    let mut stage = Stage::in_tea();
    stage.rooms(&[("Tea", 0), ("Coffee", 4)]);
    let has_colour = |stage: &Stage, wanted| {
        let buffer = stage.buffer(wanted);
        buffer.content().iter().any(|cell| {
            cell.fg != ratatui::style::Color::Reset || cell.bg != ratatui::style::Color::Reset
        })
    };
    assert!(has_colour(&stage, true) && !has_colour(&stage, false));
}

#[test]
fn help_and_commands_and_small_windows() {
    let mut stage = Stage::in_tea();
    stage.key(KeyCode::F(1), KeyModifiers::NONE);
    stage.sees("Help · any key closes it");
    stage.sees("/create name");
    stage.key(KeyCode::Esc, KeyModifiers::NONE);
    stage.key(KeyCode::Char('k'), KeyModifiers::CONTROL);
    stage.types("te");
    stage.sees("Go to a room");
    stage.key(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(
        stage.writes("/create Cake"),
        [Effect::Create("Cake".to_owned())]
    );
    stage.writes("/dance");
    stage.sees("no command /dance");
    stage.sees("> /dance");
    // No window is too small to be drawn in.
    for (columns, rows) in [(1, 1), (10, 3), (40, 10), (59, 6), (200, 70)] {
        stage.apply(Input::Size(columns, rows));
        stage.key(KeyCode::F(1), KeyModifiers::NONE);
        stage.screen();
        stage.key(KeyCode::Esc, KeyModifiers::NONE);
        stage.key(KeyCode::PageUp, KeyModifiers::NONE);
        stage.screen();
    }
}

#[test]
fn a_search_leads_to_what_was_said_around_a_hit_and_back() {
    let mut stage = Stage::in_tea();
    let room = stage.room("Tea");
    stage.key(KeyCode::Char('f'), KeyModifiers::CONTROL);
    stage.types("sugar");
    assert_eq!(
        stage.key(KeyCode::Enter, KeyModifiers::NONE),
        [Effect::Search("sugar".to_owned())]
    );
    stage.sees("searching…");
    let hit = message("Tea", 1, BOB, "No sugar.");
    let found = Hit {
        message: message("Tea", 40, BOB, "No sugar."),
        room: HitRoom {
            id: room,
            name: "Tea".to_owned(),
        },
        snippet: "No sugar.".to_owned(),
    };
    stage.apply(Input::Hits {
        word: "sugar".to_owned(),
        hits: Ok(vec![found]),
    });
    stage.sees("Bob: No sugar.");
    let asked = stage.key(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(asked, [Effect::ReadPage(room, Span::Around(Seq(40)))]);
    let around = [
        message("Tea", 39, ADA, "Sugar?"),
        message("Tea", 40, BOB, "No sugar."),
    ];
    stage.page("Tea", Span::Around(Seq(40)), &around, true);
    stage.sees("Bob  No sugar.");
    stage.key(KeyCode::Esc, KeyModifiers::NONE);
    stage.sees("you are reading the past");
    stage.delivers("Tea", Delivery::Event(said("Tea", 90, BOB, "now")));
    assert!(!stage.talk().contains("now"));
    assert_eq!(
        stage.key(KeyCode::Esc, KeyModifiers::NONE),
        [Effect::ReadPage(room, Span::Latest)]
    );
    stage.page(
        "Tea",
        Span::Latest,
        &[hit, message("Tea", 90, BOB, "now")],
        true,
    );
    stage.sees("Bob  No sugar.");
    stage.sees("now");
}

#[test]
fn a_reaction_counts_once_whether_a_page_or_an_event_tells_of_it() {
    let mut stage = Stage::in_tea();
    let react = |seq, by, kind: fn(Reacted) -> EventKind| {
        let mut reacted = event("Tea", seq, by);
        let emoji = "👍".to_owned();
        reacted.kind = kind(Reacted {
            target: Seq(1),
            emoji,
        });
        Delivery::Event(reacted)
    };
    stage.delivers("Tea", react(3, BOB, EventKind::React));
    stage.delivers("Tea", react(4, ADA, EventKind::React));
    stage.sees("👍 2");
    stage.delivers("Tea", Delivery::Reset { head: Seq(4) });
    let mut known = message("Tea", 1, BOB, "Milk first?");
    known.content.reactions.push(Reaction {
        emoji: "👍".to_owned(),
        count: 2,
        me: true,
    });
    stage.page(
        "Tea",
        Span::Latest,
        &[known, message("Tea", 4, BOB, "Hm.")],
        false,
    );
    stage.sees("👍 2");
    stage.key(KeyCode::Up, KeyModifiers::NONE);
    stage.key(KeyCode::Up, KeyModifiers::NONE);
    let room = stage.room("Tea");
    let effects = stage.key(KeyCode::Char('1'), KeyModifiers::NONE);
    assert_eq!(effects, [Effect::React(room, Seq(1), "👍", false)]);
    stage.delivers("Tea", react(5, ADA, EventKind::Unreact));
    stage.sees("👍 1");
}

#[test]
fn files_are_named_saved_and_sent_and_threads_answered() {
    let mut stage = Stage::in_tea();
    let plan = File {
        id: FileId::from_uuid(uuid::Uuid::from_u128(9)),
        name: "plan\u{1b}.pdf".to_owned(),
        mime: "application/pdf".to_owned(),
        size: 28_000,
        width: None,
        height: None,
    };
    let mut with_file = message("Tea", 3, BOB, "");
    with_file.content.files = vec![plan.clone()];
    let mut stored = said("Tea", 3, BOB, "");
    stored.kind = EventKind::Message(with_file.content);
    stage.delivers("Tea", Delivery::Event(stored));
    stage.sees("↧ plan\u{FFFD}.pdf, 28 KiB");
    stage.key(KeyCode::Up, KeyModifiers::NONE);
    stage.sees("s save");
    let effects = stage.key(KeyCode::Char('s'), KeyModifiers::NONE);
    assert_eq!(effects, [Effect::Save(vec![plan])]);

    stage.key(KeyCode::Char('t'), KeyModifiers::NONE);
    stage.sees("in the thread of Bob: plan\u{FFFD}.pdf");
    let effects = stage.writes("Is that the last one?");
    let Some(Effect::Send(letter)) = effects.last() else {
        panic!("{effects:?}")
    };
    assert_eq!((letter.thread, letter.reply_to), (Some(Seq(3)), None));
    let mut answer = said("Tea", 4, ADA, "Is that the last one?");
    let EventKind::Message(content) = &mut answer.kind else {
        unreachable!("it is a message")
    };
    content.thread = Some(Seq(3));
    stage.delivers("Tea", Delivery::Event(answer));
    stage.sees("╰ 1 answer");
    stage.sees("╭ thread · Bob: plan\u{FFFD}.pdf");

    let room = stage.room("Tea");
    let effects = stage.writes("/file ~/new plan.pdf");
    assert_eq!(
        effects,
        [Effect::SendFile(room, "~/new plan.pdf".to_owned())]
    );
    stage.apply(Input::Told("sent new plan.pdf".to_owned()));
    stage.sees("sent new plan.pdf");
}
