//! A room with a long past: however many messages it has, few are drawn, none is left out, and what one
//! looks at stays where it is.

use anyhow::Result;
use chatx_e2e::{Http, Person, unlimited};
use protocol::{RoomId, frame::ServerFrame};
use serde_json::json;
use testkit::{Chatx, Chromium, Page};

use crate::meeting::{by, register};

const MESSAGES: u64 = 12_000;
/// So many are on their way at once while the room is filled.
const ON_THE_WAY: u64 = 300;
/// More than fit into any window, and far fewer than there are.
const MOST_DRAWN: u64 = 200;

/// Whether lines stand wherever the eye may look.
const FILLED: &str = "(() => {
    const { top, bottom } = document.querySelector('[data-testid=log]').getBoundingClientRect();
    const lines = [...document.querySelectorAll('[data-seq]')].map(line => line.getBoundingClientRect());
    return lines.at(0)?.top <= top && lines.at(-1).bottom >= bottom;
})()";

async fn filled(chatx: &Chatx) -> Result<(Person, RoomId)> {
    let eve = Person::register(&Http::new(chatx.address()), "eve").await?;
    let room = eve.create_room().await?;
    let mut socket = eve.socket().await?;
    let mut acked = 0;
    for number in 0..MESSAGES {
        let body = format!(
            "number {number} {}",
            "and so on, and on, and on ".repeat(usize::try_from(number % 27)?)
        );
        let frame =
            json!({"type": "send", "room": room, "client_id": format!("m{number}"), "body": body});
        socket.say(&frame).await?;
        while number + 1 - acked >= ON_THE_WAY || (number + 1 == MESSAGES && acked < MESSAGES) {
            if let ServerFrame::Ack(_) = socket.frame().await? {
                acked += 1;
            }
        }
    }
    Ok((eve, room))
}

/// The places of the lines that are drawn, in the order in which they stand.
async fn drawn(page: &Page) -> Result<Vec<u64>> {
    let seqs = page
        .evaluate(
            "[...document.querySelectorAll('[data-seq]')].map(line => Number(line.dataset.seq))",
        )
        .await?;
    Ok(serde_json::from_value(seqs)?)
}

async fn assert_few_and_whole(page: &Page) -> Result<()> {
    let seqs = drawn(page).await?;
    assert!((seqs.len() as u64) < MOST_DRAWN, "{} are drawn", seqs.len());
    let holes: Vec<_> = seqs.windows(2).filter(|two| two[1] != two[0] + 1).collect();
    assert!(holes.is_empty(), "{holes:?}");
    Ok(())
}

/// Scrolls by pages until a condition on `first` and `last`, the places of the lines that are drawn, holds.
async fn scroll(page: &Page, by_px: i32, until: &str) -> Result<()> {
    page.evaluate(&format!(
        "(async () => {{
            const log = document.querySelector('[data-testid=log]');
            for (let step = 0; step < 5000; step += 1) {{
                log.scrollTop += {by_px};
                await new Promise(requestAnimationFrame);
                const seqs = [...document.querySelectorAll('[data-seq]')].map(line => Number(line.dataset.seq));
                const [first, last] = [seqs[0], seqs.at(-1)];
                if ({until}) return;
            }}
        }})()"
    ))
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_past_is_read_without_drawing_all_of_it() -> Result<()> {
    let chatx = unlimited().start().await?;
    let (eve, room) = filled(&chatx).await?;
    let chromium = Chromium::start().await?;
    let page = register(&chromium, &chatx, "reader").await?;
    let reader = Http::new(chatx.address());
    let login = json!({"login": "reader", "password": "plain sailing 1843"});
    let login = reader.post("/v1/auth/login", login).await?.expect(200)?;
    let token = login["access_token"].as_str().unwrap_or_default();
    reader
        .with_token(token)
        .post(&format!("/v1/rooms/{room}/members"), json!({}))
        .await?
        .expect(201)?;
    page.reload().await?;

    page.evaluate(&format!("location.hash = '#/room/{room}'"))
        .await?;
    page.until_text(&format!("number {}", MESSAGES - 1)).await?;
    assert_few_and_whole(&page).await?;
    scroll(&page, -1_500, &format!("first < {}", MESSAGES - 3_000)).await?;
    assert_few_and_whole(&page).await?;

    // What arrives meanwhile moves nothing.
    let place = "(() => {
        const top = document.querySelector('[data-testid=log]').getBoundingClientRect().top;
        window.line ??= [...document.querySelectorAll('[data-seq]')].find(line => line.getBoundingClientRect().top > top);
        return Math.round(window.line.getBoundingClientRect().top);
    })()";
    page.until("document.querySelector('[data-testid=log]').ariaLive === 'polite'")
        .await?;
    let before = page.evaluate(place).await?;
    eve.http
        .post(
            &format!("/v1/rooms/{room}/messages"),
            json!({"body": "one more"}),
        )
        .await?
        .expect(201)?;
    page.until_text("1 new message").await?;
    let moved =
        page.evaluate(place).await?.as_i64().unwrap_or(i64::MAX) - before.as_i64().unwrap_or(0);
    assert!(moved.abs() <= 2, "moved by {moved}");

    // Whoever flies over what is loaded, further than is drawn, sees where they are; and whoever goes slowly.
    let slowly = [[-310; 12], [310; 12]].concat();
    for by_px in [20_000, -5_000, -11_000, 3_000].into_iter().chain(slowly) {
        page.evaluate(&format!(
            "document.querySelector('[data-testid=log]').scrollTop += {by_px}"
        ))
        .await?;
        page.until(FILLED).await?;
        assert_few_and_whole(&page).await?;
    }

    // Whoever goes from one place to another while more is being loaded, with a hand still on the wheel, comes there
    // all the same.
    for seq in [9_000, 400, 7_000, 3_000, 11_000] {
        page.evaluate(&format!(
            "location.hash = '#/room/{room}/{seq}';
            for (let step = 0; step < 9; step += 1) document.querySelector('[data-testid=log]').scrollTop += 900;
            window.hand = setInterval(() => document.querySelector('[data-testid=log]').dispatchEvent(new Event('scroll')), 1)"
        ))
        .await?;
        page.until(&format!("document.activeElement?.dataset.seq === '{seq}'"))
            .await?;
        page.until(FILLED).await?;
        page.evaluate("clearInterval(window.hand)").await?;
        scroll(&page, 1_500, &format!("last > {}", seq + 200)).await?;
    }

    // A link goes far into the past, from where one reads on to the end.
    page.evaluate(&format!("location.hash = '#/room/{room}/2000'"))
        .await?;
    page.until("document.querySelector('.message.found')?.dataset.seq === '2000'")
        .await?;
    scroll(&page, 1_500, "last > 2600").await?;
    assert_few_and_whole(&page).await?;
    page.click(&by("to-end")).await?;
    page.until_text("one more").await?;
    assert_few_and_whole(&page).await?;
    assert_eq!(page.console(), Vec::<String>::new());
    Ok(())
}
