//! Searching: what is found where, whatever of it is in the index, and that nothing is found that the
//! searcher may not read.

use std::time::Duration;

use protocol::{
    ErrorCode, Limits, RoomId, Seq, UserId,
    accounts::UserSummary,
    messages::{History, Message, Span},
    rooms::{CreateRoom, HistoryVisibility},
    search::{Has, HitList, Search, Wanted},
    text::Words,
};
use shared::{
    indexing,
    store::{Append, Appended},
};

use crate::ground::{Ground, body, on_both_engines, public, refused};

on_both_engines!(
    finds_words_and_parts_of_them_in_every_script,
    finds_only_what_the_searcher_may_read,
    an_edit_and_a_delete_hold_at_once,
    pages_follow_each_other_without_gap_or_overlap,
    pages_part_what_came_in_one_moment,
    filters_go_together,
    history_finds_what_is_looked_for_both_ways,
    words_that_seldom_meet_are_found_however_often_each_is_said,
    refuses_what_is_not_there,
);

fn search(words: &str) -> Search {
    Search {
        wanted: Wanted {
            words: Some(Words::parse(words).unwrap()),
            ..Wanted::default()
        },
        room: None,
        cursor: None,
        limit: 50,
    }
}

fn bodies(found: &HitList) -> Vec<&str> {
    let hits = found.hits.iter();
    hits.map(|hit| hit.message.content.body.as_str()).collect()
}

impl Ground {
    async fn write(&self, room: RoomId, user: &UserSummary, text: &str) -> anyhow::Result<Seq> {
        self.clock.advance(Duration::from_millis(7));
        let id = self.clock.id();
        let entry = Append {
            id,
            body: body(text),
            ..self.message(room, user.id, &format!("{id}"))
        };
        match self.append(entry).await? {
            Appended::Stored(place) => Ok(place.seq),
            other => anyhow::bail!("not stored: {other:?}"),
        }
    }

    /// Says so much else that what was said before is far from the latest, and indexes it.
    async fn bury(&self, room: RoomId, user: &UserSummary) -> anyhow::Result<()> {
        let entry = |number: u32| {
            self.clock.advance(Duration::from_millis(7));
            let id = self.clock.id();
            Append {
                id,
                body: body(&format!("nothing {number}")),
                ..self.message(room, user.id, &format!("{id}"))
            }
        };
        let entries: Vec<Append> = (0..2_500).map(entry).collect();
        self.store.append(&entries).await?;
        anyhow::ensure!(
            indexing::index(&self.store).await? > 30,
            "it was not indexed"
        );
        Ok(())
    }

    /// The needles on all pages, one after the other.
    async fn paged(
        &self,
        user: UserId,
        room: Option<RoomId>,
        limit: u32,
    ) -> anyhow::Result<Vec<Message>> {
        let needles = Search {
            room,
            limit,
            ..search("needle")
        };
        self.all_pages(user, needles).await
    }

    /// What is on all pages of a search, one after the other.
    async fn all_pages(&self, user: UserId, mut page: Search) -> anyhow::Result<Vec<Message>> {
        let mut found = Vec::new();
        let limit = page.limit;
        loop {
            let hits = self.store.search(user, &page).await?;
            anyhow::ensure!(hits.hits.len() <= usize::try_from(limit)?);
            found.extend(hits.hits.into_iter().map(|hit| hit.message));
            page.cursor = hits.next_cursor;
            if page.cursor.is_none() {
                return Ok(found);
            }
        }
    }

    async fn finds(&self, user: UserId, words: &str) -> anyhow::Result<Vec<String>> {
        let found = self.store.search(user, &search(words)).await?;
        Ok(bodies(&found).into_iter().map(str::to_owned).collect())
    }
}

const TEXTS: [&str; 6] = [
    "Green tea at four?",
    "今日は東京にいます",
    "Straße gesperrt, Ärger überall",
    "done 🎉",
    "an XY problem",
    "meeting moved",
];

async fn finds_words_and_parts_of_them_in_every_script(ground: Ground) -> anyhow::Result<()> {
    let [ada] = ground.people(["ada"]).await?;
    let room = ground.room(&ada, "tea").await?;
    for text in TEXTS {
        ground.write(room.id, &ada, text).await?;
    }
    for is_indexed in [false, true] {
        if is_indexed {
            ground.bury(room.id, &ada).await?;
        }
        for (words, text) in [
            ("TEA green", TEXTS[0]),
            ("ree", TEXTS[0]),
            ("東京", TEXTS[1]),
            ("京", TEXTS[1]),
            ("straße äRGER", TEXTS[2]),
            ("🎉", TEXTS[3]),
            ("xy", TEXTS[4]),
            ("eeting", TEXTS[5]),
        ] {
            assert_eq!(
                ground.finds(ada.id, words).await?,
                [text],
                "{words:?} {is_indexed}"
            );
        }
        for words in ["me", "京東", "green meeting", "teas"] {
            assert!(
                ground.finds(ada.id, words).await?.is_empty(),
                "{words:?} {is_indexed}"
            );
        }
    }
    Ok(())
}

async fn finds_only_what_the_searcher_may_read(ground: Ground) -> anyhow::Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let since_join = CreateRoom {
        history: HistoryVisibility::SinceJoin,
        ..public("since join")
    };
    let room = ground.create(&ada, since_join).await?;
    ground.write(room.id, &ada, "needle before").await?;
    ground.join(room.id, &bob).await?;
    ground.write(room.id, &ada, "needle after").await?;
    for is_indexed in [false, true] {
        if is_indexed {
            ground.bury(room.id, &ada).await?;
        }
        assert_eq!(
            ground.finds(ada.id, "needle").await?,
            ["needle after", "needle before"]
        );
        assert_eq!(ground.finds(bob.id, "needle").await?, ["needle after"]);
        let of_room = Search {
            room: Some(room.id),
            ..search("needle")
        };
        assert_eq!(
            bodies(&ground.store.search(bob.id, &of_room).await?),
            ["needle after"]
        );
        assert!(ground.finds(eve.id, "needle").await?.is_empty());
    }
    ground
        .store
        .leave(room.id, bob.id, ground.clock.now())
        .await?;
    assert!(ground.finds(bob.id, "needle").await?.is_empty());
    Ok(())
}

async fn an_edit_and_a_delete_hold_at_once(ground: Ground) -> anyhow::Result<()> {
    let [ada] = ground.people(["ada"]).await?;
    let room = ground.room(&ada, "tea").await?;
    for is_indexed in [false, true] {
        let edited = ground.write(room.id, &ada, "first thoughts").await?;
        let deleted = ground.write(room.id, &ada, "second thoughts").await?;
        if is_indexed {
            ground.bury(room.id, &ada).await?;
        }
        let now = ground.clock.now();
        ground
            .store
            .edit(room.id, ada.id, edited, &body("quite another idea"), now)
            .await?;
        ground.store.erase(room.id, ada.id, deleted, now).await?;
        assert!(
            ground.finds(ada.id, "thoughts").await?.is_empty(),
            "{is_indexed}"
        );
        assert_eq!(
            ground.finds(ada.id, "another idea").await?,
            ["quite another idea"]
        );
        ground.store.erase(room.id, ada.id, edited, now).await?;
        assert!(
            ground.finds(ada.id, "idea").await?.is_empty(),
            "{is_indexed}"
        );
    }
    Ok(())
}

/// Three rooms that are written in turns, with the word in every seventh message.
async fn pages_follow_each_other_without_gap_or_overlap(ground: Ground) -> anyhow::Result<()> {
    let [ada] = ground.people(["ada"]).await?;
    let mut rooms = Vec::new();
    for name in ["one", "two", "three"] {
        rooms.push(ground.room(&ada, name).await?.id);
    }
    let mut said = Vec::new();
    for number in 0..1_500 {
        let text = if number % 7 == 0 {
            format!("needle {number}")
        } else {
            format!("hay {number}")
        };
        ground
            .write(rooms[number * number % 3], &ada, &text)
            .await?;
        if number % 7 == 0 {
            said.insert(0, text);
        }
        if number == 1_100 {
            indexing::index(&ground.store).await?;
        }
    }
    for (room, limit) in [(None, 9), (None, 50), (Some(rooms[1]), 9)] {
        let found = ground.paged(ada.id, room, limit).await?;
        let found: Vec<String> = found
            .into_iter()
            .map(|message| message.content.body.to_string())
            .collect();
        let expected: Vec<String> = match room {
            None => said.clone(),
            Some(_) => said
                .iter()
                .filter(|text| {
                    let number: usize = text.trim_start_matches("needle ").parse().unwrap();
                    number * number % 3 == 1
                })
                .cloned()
                .collect(),
        };
        assert_eq!(found, expected, "{limit}");
    }
    Ok(())
}

/// Three rooms that are written in one millisecond, by several nodes: no id says which message was first.
async fn pages_part_what_came_in_one_moment(ground: Ground) -> anyhow::Result<()> {
    let [ada] = ground.people(["ada"]).await?;
    let mut rooms = Vec::new();
    for name in ["one", "two", "three"] {
        rooms.push(ground.room(&ada, name).await?.id);
    }
    let mut ids: Vec<_> = (0..3 * 1_300).map(|_| ground.clock.id()).collect();
    let mut said = Vec::new();
    for round in 0..13 {
        for room in &rooms {
            let entry = |number: usize| Append {
                id: ids.pop().expect("one for each"),
                body: body(if number.is_multiple_of(5) {
                    "needle"
                } else {
                    "hay"
                }),
                ..ground.message(*room, ada.id, &format!("{round} {number}"))
            };
            let entries: Vec<Append> = (0..100).map(entry).collect();
            for appended in ground.store.append(&entries).await?.into_iter().step_by(5) {
                let Appended::Stored(place) = appended else {
                    anyhow::bail!("not stored: {appended:?}");
                };
                said.push((*room, place.seq));
            }
        }
        if round == 9 {
            indexing::index(&ground.store).await?;
        }
    }
    // The latest of a room first, one room after the other.
    said.sort_unstable();
    said.reverse();
    for limit in [9, 50] {
        let found = ground.paged(ada.id, None, limit).await?;
        let found: Vec<(RoomId, Seq)> = found
            .iter()
            .map(|message| (message.room, message.seq))
            .collect();
        assert_eq!(found, said, "{limit}");
    }
    Ok(())
}

/// So many messages that no page looks through all stretches, and the two words in each of them.
async fn words_that_seldom_meet_are_found_however_often_each_is_said(
    ground: Ground,
) -> anyhow::Result<()> {
    const MESSAGES: usize = 52_000;
    const MEET: usize = 6_500;
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let rooms = [
        ground.room(&ada, "one").await?.id,
        ground.room(&ada, "two").await?.id,
    ];
    ground.join(rooms[0], &bob).await?;
    let mut said = Vec::new();
    for first in (0..MESSAGES).step_by(2_000) {
        let entry = |number: usize| {
            ground.clock.advance(Duration::from_millis(997));
            let text = match number {
                number if number % MEET < 2 => "morning and evening",
                number if number % 4 < 2 => "morning",
                _ => "evening",
            };
            Append {
                id: ground.clock.id(),
                body: body(text),
                ..ground.message(rooms[number % 2], ada.id, &number.to_string())
            }
        };
        let entries: Vec<Append> = (first..first + 2_000).map(entry).collect();
        let stored = ground.store.append(&entries).await?;
        for (entry, stored) in entries.iter().zip(stored) {
            let Appended::Stored(place) = stored else {
                anyhow::bail!("not stored: {stored:?}");
            };
            if entry.body.as_str().contains(" and ") {
                said.insert(0, (entry.room, place.seq));
            }
        }
    }
    assert!(indexing::index(&ground.store).await? > 800);
    let found = async |user, search| {
        let found = ground.all_pages(user, search).await?.into_iter();
        anyhow::Ok(
            found
                .map(|message| (message.room, message.seq))
                .collect::<Vec<_>>(),
        )
    };
    let of_first = |(room, _): &&(RoomId, Seq)| *room == rooms[0];
    let only_first: Vec<(RoomId, Seq)> = said.iter().filter(of_first).copied().collect();
    for is_told in [true, false] {
        if !is_told {
            // As an earlier version left them.
            ground
                .execute("update search_stretches set knows_when = false")
                .await?;
        }
        let both = search("morning evening");
        assert_eq!(found(ada.id, both.clone()).await?, said, "{is_told}");
        assert_eq!(found(bob.id, both.clone()).await?, only_first, "{is_told}");
        let in_room = Search {
            room: Some(rooms[0]),
            ..both.clone()
        };
        assert_eq!(found(ada.id, in_room).await?, only_first, "{is_told}");
        let mut until = both;
        until.wanted.until = Some(ground.store.message(said[3].0, ada.id, said[3].1).await?.at);
        assert_eq!(found(ada.id, until.clone()).await?, said[4..], "{is_told}");
        until.wanted.since = Some(ground.store.message(said[9].0, ada.id, said[9].1).await?.at);
        assert_eq!(found(ada.id, until).await?, said[4..10], "{is_told}");
    }
    assert!(
        indexing::index(&ground.store).await? > 800,
        "they were told"
    );
    assert_eq!(indexing::index(&ground.store).await?, 0, "once");
    assert_eq!(found(ada.id, search("morning evening")).await?, said);
    Ok(())
}

async fn filters_go_together(ground: Ground) -> anyhow::Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "tea").await?;
    ground.join(room.id, &bob).await?;
    ground.write(room.id, &ada, "tea is here").await?;
    let middle = ground.clock.now();
    ground
        .write(room.id, &bob, "tea: https://example.com/tea")
        .await?;
    ground.clock.advance(Duration::from_millis(5));
    let filed = Append {
        body: body("tea is in this"),
        files: vec![ground.file(room.id, &ada).await?],
        ..ground.message(room.id, ada.id, "with a file")
    };
    ground.append(filed).await?;
    for is_indexed in [false, true] {
        if is_indexed {
            ground.bury(room.id, &ada).await?;
        }
        let with = |change: fn(&mut Wanted, (UserId, protocol::Timestamp))| {
            let mut search = search("tea");
            change(&mut search.wanted, (bob.id, middle));
            search
        };
        let linked = "tea: https://example.com/tea";
        for (wanted, expected) in [
            (
                with(|wanted, (bob, _)| wanted.sender = Some(bob)),
                vec![linked],
            ),
            (with(|wanted, _| wanted.has = Some(Has::Link)), vec![linked]),
            (
                with(|wanted, _| wanted.has = Some(Has::File)),
                vec!["tea is in this"],
            ),
            (
                with(|wanted, (_, middle)| {
                    wanted.until = Some(middle.after(Duration::from_millis(1)));
                }),
                vec!["tea is here"],
            ),
            (
                with(|wanted, (_, middle)| {
                    wanted.since = Some(middle.after(Duration::from_millis(1)));
                }),
                vec!["tea is in this", linked],
            ),
        ] {
            for room in [None, Some(room.id)] {
                let wanted = Search {
                    room,
                    ..wanted.clone()
                };
                let found = ground.store.search(ada.id, &wanted).await?;
                assert_eq!(bodies(&found), expected, "{wanted:?} {is_indexed}");
            }
        }
    }
    Ok(())
}

async fn refuses_what_is_not_there(ground: Ground) -> anyhow::Result<()> {
    let [ada, eve] = ground.people(["ada", "eve"]).await?;
    let room = ground.room(&ada, "tea").await?;
    let of_room = Search {
        room: Some(room.id),
        ..search("tea")
    };
    assert_eq!(
        refused(ground.store.search(eve.id, &of_room).await),
        ErrorCode::NotAMember
    );
    let elsewhere = Search {
        room: Some(ground.clock.id()),
        ..search("tea")
    };
    assert_eq!(
        refused(ground.store.search(ada.id, &elsewhere).await),
        ErrorCode::RoomNotFound
    );
    let no_page = Search {
        cursor: Some("no page".to_owned()),
        ..search("tea")
    };
    assert_eq!(
        refused(ground.store.search(ada.id, &no_page).await),
        ErrorCode::ValidationFailed
    );
    assert_eq!(Limits::default().page_default, 50);
    Ok(())
}

/// The same walk in both directions, over places that are in the index and places that are not.
async fn history_finds_what_is_looked_for_both_ways(ground: Ground) -> anyhow::Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "tea").await?.id;
    ground.join(room, &bob).await?;
    let mut said = Vec::new();
    for round in 0..3 {
        said.push(ground.write(room, &bob, &format!("needle {round}")).await?);
        if round < 2 {
            ground.bury(room, &ada).await?;
        }
    }
    ground.write(room, &ada, "haystack").await?;
    let pages = async |span, limit, wanted: &Wanted| {
        let history = History {
            span,
            limit,
            wanted: wanted.clone(),
            ..History::default()
        };
        let list = ground.store.history(room, ada.id, &history).await?;
        let seqs: Vec<Seq> = list.messages.iter().map(|message| message.seq).collect();
        anyhow::Ok((seqs, list.has_more))
    };
    let by_word = search("needle").wanted;
    let by_sender = Wanted {
        sender: Some(bob.id),
        ..Wanted::default()
    };
    for wanted in [&by_word, &by_sender] {
        assert_eq!(
            pages(Span::Latest, 50, wanted).await?,
            (said.clone(), false)
        );
        assert_eq!(
            pages(Span::Latest, 2, wanted).await?,
            (said[1..].to_vec(), true)
        );
        assert_eq!(
            pages(Span::Before(said[1]), 2, wanted).await?,
            (vec![said[0]], false)
        );
        assert_eq!(
            pages(Span::After(Seq(0)), 2, wanted).await?,
            (said[..2].to_vec(), true)
        );
        assert_eq!(
            pages(Span::After(said[0]), 2, wanted).await?,
            (said[1..].to_vec(), false)
        );
        assert_eq!(
            pages(Span::Around(said[1]), 3, wanted).await?,
            (said.clone(), false)
        );
    }
    let middle = ground.store.message(room, ada.id, said[1]).await?.at;
    let since = Wanted {
        since: Some(middle),
        ..Wanted::default()
    };
    assert_eq!(
        pages(Span::After(Seq(0)), 1, &since).await?,
        (vec![said[1]], true)
    );
    let until = Wanted {
        until: Some(middle),
        ..Wanted::default()
    };
    let (before, _) = pages(Span::Latest, 1, &until).await?;
    assert_eq!(before, [said[1].previous()]);
    Ok(())
}
