//! What people do with messages, seen by both: answers, signs, threads, pins, calls, changes, direct
//! messages and links.

use anyhow::Result;
use chatx_e2e::unlimited;
use testkit::Chromium;

use crate::meeting::{Meeting, by, choose, line, say, use_tool};

#[tokio::test(flavor = "multi_thread")]
async fn what_one_does_with_a_message_the_other_sees() -> Result<()> {
    let chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let Meeting {
        at_ada,
        at_ben,
        ben,
    } = Meeting::begin(&chromium, &chatx).await?;

    // A sign, given and counted.
    say(&at_ada, "High water is at two").await?;
    use_tool(&at_ben, "High water", "react").await?;
    at_ben.click(&by("emoji")).await?;
    for page in [&at_ada, &at_ben] {
        page.until_visible(&by("reaction")).await?;
    }
    at_ada.click(&by("reaction")).await?;
    for page in [&at_ada, &at_ben] {
        page.until(&format!(
            "document.querySelector('{} .count').innerText === '2'",
            by("reaction")
        ))
        .await?;
    }

    // An answer that quotes, and one in a thread.
    use_tool(&at_ben, "High water", "reply").await?;
    at_ben.until_visible(".composer-note").await?;
    say(&at_ben, "Then we leave at one").await?;
    at_ada
        .until(&format!(
            "{}?.querySelector('{}').innerText.includes('High water')",
            line("leave at one"),
            by("replied")
        ))
        .await?;
    use_tool(&at_ada, "High water", "open-thread").await?;
    at_ada
        .type_into(&by("thread-input"), "From the new table?")
        .await?;
    at_ada.press("Enter").await?;
    at_ben
        .until("document.body.innerText.includes('1 answer')")
        .await?;
    at_ben.click(".thread-link").await?;
    at_ben
        .until("document.querySelector('.thread-log').innerText.includes('From the new table?')")
        .await?;

    // Pinned, found among the pins, gone to.
    choose(&at_ada, "leave at one", "pin").await?;
    at_ben.click(&by("pins")).await?;
    at_ben.click(&by("pinned-message")).await?;
    at_ben
        .until("document.querySelector('.message.found')?.innerText.includes('leave at one')")
        .await?;

    // Called by name, with the list that offers it.
    at_ada
        .type_into(&by("message-input"), &format!("@{}", &ben[..4]))
        .await?;
    at_ada.press("Shift").await?;
    at_ada.until_visible("[role=option]").await?;
    at_ada.press("Enter").await?;
    say(&at_ada, "are the lines ready?").await?;
    at_ben.until_visible(".mention.self").await?;

    // Changed, and taken back.
    say(&at_ada, "The fender is in the sheed").await?;
    choose(&at_ada, "sheed", "edit").await?;
    at_ada
        .until(&format!(
            "document.querySelector('{}').value.includes('sheed')",
            by("message-input")
        ))
        .await?;
    at_ada
        .evaluate(&format!(
            "document.querySelector('{}').value = ''",
            by("message-input")
        ))
        .await?;
    say(&at_ada, "The fender is in the shed").await?;
    at_ben.until_text("in the shed").await?;
    choose(&at_ada, "in the shed", "delete").await?;
    at_ada.click("dialog .danger").await?;
    for page in [&at_ada, &at_ben] {
        page.until_text("This message was deleted").await?;
        assert_eq!(page.console(), Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn people_talk_directly_and_find_what_was_said() -> Result<()> {
    let chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let Meeting {
        at_ada,
        at_ben,
        ben,
    } = Meeting::begin(&chromium, &chatx).await?;
    say(&at_ada, "The spare key hangs by the door").await?;

    at_ada.click(&by("begin")).await?;
    at_ada.click(&by("new-message")).await?;
    at_ada.type_into(&by("direct-search"), &ben).await?;
    at_ada.click(&by("person")).await?;
    at_ada.click(&by("direct-start")).await?;
    at_ada
        .until(&format!("document.querySelector('h1')?.innerText.includes({ben:?}) || document.querySelector('.bar-title h1')?.innerText.includes({ben:?})"))
        .await?;
    say(&at_ada, "Just between us").await?;
    at_ben.until_text("Just between us").await?;
    at_ben.until_visible(".badge.called").await?;

    at_ben.click(&by("find")).await?;
    at_ben.type_into(&by("switch-input"), "spare key").await?;
    at_ben
        .until("document.querySelector('[role=option][aria-selected=true]')?.innerText.includes('spare key')")
        .await?;
    at_ben.press("Enter").await?;
    at_ben.click(&by("hit")).await?;
    at_ben
        .until("document.querySelector('.message.found')?.innerText.includes('spare key')")
        .await?;
    for page in [&at_ada, &at_ben] {
        assert_eq!(page.console(), Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_drawn_and_never_run() -> Result<()> {
    let chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let Meeting { at_ada, at_ben, .. } = Meeting::begin(&chromium, &chatx).await?;
    let kind = "To get:\n- tea\n- **milk**\n  1. whole\n  2. _or_ not\n\n> said\n\n```\nlet a = 1;\n```\n[the plan](https://a.example/b)";
    let hostile = "<img src=x onerror=alert(1)> <script>alert(2)</script> [tea](javascript:alert(3)) \
        [bank.example](https://evil.example/) [a](https://b.example/\"onclick=alert(4)) <a href=\"javascript:alert(5)\">x</a>\n\
        - <svg onload=alert(6)>\n> [x](data:text/html,<script>alert(7)</script>)";
    say(&at_ada, kind).await?;
    say(&at_ada, hostile).await?;
    at_ben.until_text("onload=alert(6)").await?;

    let drawn = at_ben
        .evaluate(
            "(() => {
                const [kind, hostile] = [...document.querySelectorAll('[data-testid=message-body]')];
                const tags = (body) => [...body.querySelectorAll('*')].map((one) => one.localName).join(' ');
                const links = (body) => [...body.querySelectorAll('a')].map((one) => `${one.href} ${one.rel} ${one.target}`);
                return [tags(kind), links(kind), tags(hostile), links(hostile), hostile.innerText.includes('<script>alert(2)</script>')];
            })()",
        )
        .await?;
    let safe = "noopener noreferrer nofollow _blank";
    assert_eq!(
        drawn,
        serde_json::json!([
            "ul li li strong ol li li em blockquote pre code a span",
            [format!("https://a.example/b {safe}")],
            "a a ul li blockquote",
            [
                format!("https://evil.example/ {safe}"),
                format!("https://b.example/ {safe}")
            ],
            true
        ])
    );
    for page in [&at_ada, &at_ben] {
        assert_eq!(page.console(), Vec::<String>::new());
    }
    Ok(())
}
