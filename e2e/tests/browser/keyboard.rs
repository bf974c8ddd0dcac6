//! A day without a mouse: everything is reached by keys, one always sees where one is, and comes back there.

use anyhow::Result;
use chatx_e2e::{Http, Person, unlimited};
use serde_json::{Value, json};
use testkit::{Chatx, Chromium, Page};

use crate::meeting::by;

/// More steps than a way by Tab has from one end of a page to the other.
const MOST_STEPS: usize = 150;

/// What a person who goes by keys has to see: something has the focus, shows it, and nothing lies over it.
const SEEN: &str = "(() => {
    const at = document.activeElement;
    if (at === null || at === document.body) return 'nothing has the focus';
    const name = at.outerHTML.slice(0, 160);
    const frame = at.closest('.composer-box, .input') ?? at.closest('.choice') ?? at;
    const style = getComputedStyle(frame);
    if (style.outlineStyle === 'none' && style.boxShadow === 'none') return `one does not see that the focus is at ${name}`;
    const box = at.getBoundingClientRect();
    const [x, y] = [Math.max(0, box.left) + Math.min(box.width, 12) / 2, Math.max(0, box.top) + Math.min(box.height, 12) / 2];
    const over = document.elementFromPoint(x, y);
    if (over === null || !(at.contains(over) || over.contains(at))) return `${over?.outerHTML.slice(0, 160)} lies over ${name}`;
    return '';
})()";

/// Roles of what one can do something with, each of which needs a name.
const CONTROLS: [&str; 17] = [
    "button",
    "link",
    "textbox",
    "searchbox",
    "combobox",
    "checkbox",
    "radio",
    "menu",
    "menuitem",
    "option",
    "listbox",
    "dialog",
    "article",
    "log",
    "group",
    "navigation",
    "complementary",
];

async fn assert_seen(page: &Page) -> Result<()> {
    let wrong = page.evaluate(SEEN).await?;
    assert_eq!(wrong, "", "{wrong}");
    Ok(())
}

/// Waits until something has the focus, and shows it.
async fn until_at(page: &Page, selector: &str) -> Result<()> {
    page.until(&format!(
        "document.activeElement?.matches({})",
        json!(selector)
    ))
    .await?;
    assert_seen(page).await
}

/// Goes by Tab (or Shift+Tab) until something has the focus, and sees at each step where that is.
async fn tab_to(page: &Page, key: &str, selector: &str) -> Result<()> {
    let there = format!("document.activeElement?.matches({})", json!(selector));
    for _ in 0..MOST_STEPS {
        page.press(key).await?;
        // From the last to the first the way leads over the window itself.
        if page
            .evaluate("document.activeElement === document.body")
            .await?
            == true
        {
            continue;
        }
        assert_seen(page).await?;
        if page.evaluate(&there).await? == true {
            return Ok(());
        }
    }
    let at = page
        .evaluate("document.activeElement?.outerHTML.slice(0, 200)")
        .await?;
    panic!("{selector} is not reached by {key}; the focus is at {at}");
}

async fn write(page: &Page, text: &str) -> Result<()> {
    page.call("Input.insertText", json!({"text": text})).await?;
    Ok(())
}

/// Goes by the arrows from the last message up to the one that shows a text.
async fn up_to(page: &Page, text: &str) -> Result<()> {
    tab_to(page, "Shift+Tab", ".log .message").await?;
    let there = format!(
        "document.activeElement.querySelector('[data-testid=message-body]')?.innerText.includes({})",
        json!(text)
    );
    for _ in 0..MOST_STEPS {
        if page.evaluate(&there).await? == true {
            // Its tools come with the next frame.
            page.until_visible(&format!(".message:focus {}", by("more")))
                .await?;
            return assert_seen(page).await;
        }
        page.press("ArrowUp").await?;
    }
    panic!("{text} is not reached by the arrows");
}

async fn is_at_message(page: &Page, text: &str) -> Result<()> {
    page.until(&format!(
        "document.activeElement?.matches('.message') && document.activeElement.innerText.includes({})",
        json!(text)
    ))
    .await?;
    assert_seen(page).await
}

fn value(node: &Value, field: &str) -> String {
    node[field]["value"].as_str().unwrap_or_default().to_owned()
}

fn property<'node>(node: &'node Value, name: &str) -> Option<&'node Value> {
    let properties = node["properties"].as_array()?;
    let found = properties.iter().find(|one| one["name"] == name)?;
    Some(&found["value"]["value"])
}

/// What those who listen are told: each control has a name, and whatever takes the focus is something. Answers the
/// parts of the page that speak by themselves.
async fn assert_told(page: &Page, what: &str) -> Result<Vec<String>> {
    page.call("Accessibility.enable", json!({})).await?;
    let tree = page.call("Accessibility.getFullAXTree", json!({})).await?;
    let mut live = Vec::new();
    for node in tree["nodes"].as_array().into_iter().flatten() {
        if node["ignored"] == true {
            continue;
        }
        let (role, name) = (value(node, "role"), value(node, "name"));
        let takes_focus = property(node, "focusable").is_some_and(|it| it == true);
        assert!(
            !(name.is_empty() && CONTROLS.contains(&role.as_str())),
            "{what}: a {role} without a name: {node:#}"
        );
        assert!(
            !(takes_focus && ["generic", "none"].contains(&role.as_str())),
            "{what}: the focus may be at what is nothing: {node:#}"
        );
        if property(node, "live").is_some_and(|it| it == "polite" || it == "assertive") {
            live.push(role);
        }
    }
    Ok(live)
}

/// Ada has an account, and is in a room where Ben has spoken.
async fn furnished(chatx: &Chatx) -> Result<(Person, Person)> {
    let http = Http::new(chatx.address());
    let ada = Person::register(&http, "ada").await?;
    let ben = Person::register(&http, "ben").await?;
    for name in ["Harbour", "Kitchen"] {
        let room = ben
            .http
            .post(
                "/v1/rooms",
                json!({"name": format!("{name} of {}", ben.username), "visibility": "public"}),
            )
            .await?
            .expect(201)?;
        let room = room["id"].as_str().unwrap_or_default();
        ada.http
            .post(&format!("/v1/rooms/{room}/members"), json!({}))
            .await?
            .expect(201)?;
        for text in ["High water is at two", "The pier is wet"] {
            ben.http
                .post(&format!("/v1/rooms/{room}/messages"), json!({"body": text}))
                .await?
                .expect(201)?;
        }
    }
    Ok((ada, ben))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_goes_by_without_a_mouse() -> Result<()> {
    let chatx = unlimited().start().await?;
    let (ada, ben) = furnished(&chatx).await?;
    let chromium = Chromium::start().await?;
    let page = chromium.page().await?;
    page.navigate(&format!("{}/#/login", chatx.url())).await?;
    comes_in(&page, &ada).await?;
    talks(&page, &ben).await?;
    looks_around(&page, &ben).await?;
    sets_things(&page).await?;
    // That the wrong password and the room without a name were refused is told of by the browser, too.
    let console = page.console();
    assert!(
        console
            .iter()
            .all(|line| line.contains("/v1/auth/login") || line.contains("422")),
        "{console:?}"
    );
    Ok(())
}

async fn comes_in(page: &Page, ada: &Person) -> Result<()> {
    until_at(page, &by("username")).await?;
    write(page, &ada.username).await?;
    tab_to(page, "Tab", &by("password")).await?;
    write(page, "wrong sailing 1843").await?;
    page.press("Enter").await?;
    // What is wrong is said, and seen.
    page.until("document.querySelector('[role=alert]')?.innerText !== ''")
        .await?;
    assert_told(page, "the log-in form").await?;
    page.evaluate("document.activeElement.select?.()").await?;
    write(page, ada.password).await?;
    page.press("Enter").await?;
    page.until_visible(&by("room-item")).await?;

    // By a few letters to a room, with the box ready.
    page.press("Control+k").await?;
    until_at(page, &by("switch-input")).await?;
    write(page, "harb").await?;
    page.until("document.querySelector('[role=option][aria-selected=true]')?.innerText.includes('Harbour')")
        .await?;
    assert_told(page, "the way anywhere").await?;
    page.press("Enter").await?;
    until_at(page, &by("message-input")).await?;
    page.until_text("The pier is wet").await?;
    page.press("Alt+ArrowDown").await?;
    page.until("document.querySelector('h1.visually-hidden ~ * [aria-current=page]')?.innerText.includes('Kitchen')")
        .await?;
    page.press("Alt+ArrowUp").await?;
    page.until("document.querySelector('.bar-title h1')?.innerText.includes('Harbour')")
        .await?;
    until_at(page, &by("message-input")).await
}

async fn talks(page: &Page, ben: &Person) -> Result<()> {
    let shown = |text: &str| {
        format!(
            "[...document.querySelectorAll('.log [data-seq] [data-testid=message-body]')].some(line => line.innerText.includes({text:?}))"
        )
    };
    write(page, "Morning all").await?;
    page.press("Enter").await?;
    page.until(&shown("Morning all")).await?;
    let live = assert_told(page, "a room").await?;
    for role in ["log", "status"] {
        assert!(
            live.iter().any(|one| one == role),
            "{role} is silent: {live:?}"
        );
    }

    // Answered.
    up_to(page, "High water").await?;
    page.press("r").await?;
    until_at(page, &by("message-input")).await?;
    page.until_text(&format!("Replying to {}", ben.username))
        .await?;
    write(page, "Then we leave at one").await?;
    page.press("Enter").await?;
    page.until(&shown("leave at one")).await?;

    // Given a sign; back at the message.
    up_to(page, "High water").await?;
    page.press("s").await?;
    page.until_visible(&by("emoji")).await?;
    assert_told(page, "the signs").await?;
    tab_to(page, "Tab", &by("emoji")).await?;
    page.press("Enter").await?;
    page.until_visible(&by("reaction")).await?;
    is_at_message(page, "High water").await?;

    // Rewritten.
    page.press("Escape").await?;
    until_at(page, &by("message-input")).await?;
    page.press("ArrowUp").await?;
    page.until("document.activeElement.value === 'Then we leave at one'")
        .await?;
    page.evaluate("document.activeElement.select()").await?;
    write(page, "Then we leave at half past").await?;
    page.press("Enter").await?;
    page.until(&shown("half past")).await?;

    // Taken back, by the menu: it gives the focus back, and so does what it opens.
    up_to(page, "Morning all").await?;
    tab_to(page, "Tab", &by("more")).await?;
    page.press("Enter").await?;
    until_at(page, "[role=menuitem]").await?;
    assert_told(page, "a menu").await?;
    page.press("Escape").await?;
    until_at(page, &by("more")).await?;
    page.press("Enter").await?;
    until_at(page, "[role=menuitem]").await?;
    page.press("End").await?;
    until_at(page, &by("delete")).await?;
    page.press("Enter").await?;
    page.until_visible("dialog[open]").await?;
    assert_told(page, "a question").await?;
    page.press("Escape").await?;
    is_at_message(page, "Morning all").await?;
    page.press("Delete").await?;
    page.until_visible("dialog[open]").await?;
    tab_to(page, "Tab", &by("confirm")).await?;
    page.press("Enter").await?;
    page.until_text("This message was deleted").await?;
    page.until("document.activeElement?.matches('.message')")
        .await?;

    // In a thread.
    page.press("Escape").await?;
    up_to(page, "High water").await?;
    page.press("t").await?;
    until_at(page, &by("thread-input")).await?;
    write(page, "By which table?").await?;
    page.press("Enter").await?;
    page.until("document.querySelector('.thread-log')?.innerText.includes('By which table?')")
        .await?;
    assert_told(page, "a thread").await?;
    page.press("Escape").await?;
    page.until("document.querySelector('.thread-log') === null")
        .await?;
    is_at_message(page, "High water").await
}

async fn looks_around(page: &Page, ben: &Person) -> Result<()> {
    // Looked for, found, gone to.
    page.press("Control+Shift+f").await?;
    until_at(page, &by("search-input")).await?;
    write(page, "pier").await?;
    page.press("Enter").await?;
    page.until_visible(&by("hit")).await?;
    assert_told(page, "a search").await?;
    tab_to(page, "Tab", &by("hit")).await?;
    page.press("Enter").await?;
    is_at_message(page, "The pier is wet").await?;

    // Who is here, and what can be done about them.
    let details = by("details");
    tab_to(page, "Shift+Tab", &details).await?;
    if page
        .evaluate("document.querySelector('[data-testid=details-pane]') === null")
        .await?
        == false
    {
        page.press("Enter").await?;
        page.until("document.querySelector('[data-testid=details-pane]') === null")
            .await?;
        until_at(page, &details).await?;
    }
    page.press("Enter").await?;
    until_at(page, &by("details-pane")).await?;
    page.until_visible(&by("member-actions")).await?;
    assert_told(page, "a room's details").await?;
    tab_to(page, "Tab", &by("member-actions")).await?;
    page.press("Enter").await?;
    until_at(page, "[role=menuitem]").await?;
    page.press("Escape").await?;
    until_at(page, &by("member-actions")).await?;
    tab_to(page, "Shift+Tab", ".plain-name").await?;
    page.press("Enter").await?;
    page.until_visible(&by("person")).await?;
    assert_told(page, &ben.username).await?;
    page.press("Escape").await?;
    until_at(page, ".plain-name").await?;
    page.press("Escape").await?;
    page.until("document.querySelector('[data-testid=details-pane]') === null")
        .await?;
    until_at(page, &details).await
}

async fn sets_things(page: &Page) -> Result<()> {
    tab_to(page, "Shift+Tab", &by("settings")).await?;
    page.press("Enter").await?;
    page.until_visible(&by("section-sessions")).await?;
    for section in [
        "profile",
        "appearance",
        "notifications",
        "privacy",
        "security",
        "sessions",
        "bots",
        "webhooks",
        "data",
    ] {
        tab_to(page, "Tab", &by(&format!("section-{section}"))).await?;
        page.press("Enter").await?;
        page.until_visible(&format!("[data-section={section}]"))
            .await?;
        assert_told(page, section).await?;
        until_at(page, &by(&format!("section-{section}"))).await?;
    }

    // The list of keys, and back to where it was asked for.
    page.press("?").await?;
    page.until_visible(".shortcuts").await?;
    assert_told(page, "the keys").await?;
    page.press("Escape").await?;
    until_at(page, &by("section-data")).await?;

    // Something new, with what is wrong with it.
    tab_to(page, "Shift+Tab", &by("begin")).await?;
    page.press("Enter").await?;
    until_at(page, &by("new-message")).await?;
    page.press("ArrowDown").await?;
    until_at(page, &by("new-room")).await?;
    page.press("Enter").await?;
    until_at(page, &by("room-name")).await?;
    page.press("Enter").await?;
    page.until("document.activeElement?.ariaInvalid === 'true'")
        .await?;
    assert_told(page, "a new room").await?;
    page.press("Escape").await?;
    until_at(page, &by("begin")).await
}
