//! Files between two people: dropped, pasted and chosen, given up, interrupted, seen, saved, found and gone.

use std::fs;

use anyhow::Result;
use chatx_e2e::unlimited;
use serde_json::json;
use testkit::{Chatx, Chromium, Page};

use crate::{
    everybody::{assert_faultless, axe},
    meeting::{Meeting, by, choose, line, say},
};

/// Hands files to the page, as `files` that it can drop, paste or choose. A picture has its size in its name.
const HAND_OVER: &str = "
    async function handOver(...names) {
        const transfer = new DataTransfer();
        for (const name of names) {
            const size = /(\\d+)x(\\d+)/.exec(name);
            if (size === null) {
                transfer.items.add(new File([`what is in ${name}`], name, { type: 'text/plain' }));
                continue;
            }
            const canvas = new OffscreenCanvas(Number(size[1]), Number(size[2]));
            const brush = canvas.getContext('2d');
            brush.fillStyle = '#2a9d8f';
            brush.fillRect(0, 0, canvas.width, canvas.height);
            brush.fillStyle = '#e9c46a';
            brush.fillRect(canvas.width / 4, canvas.height / 4, canvas.width / 2, canvas.height / 2);
            transfer.items.add(new File([await canvas.convertToBlob({ type: 'image/png' })], name, { type: 'image/png' }));
        }
        return transfer;
    }
    function large(name, bytes) {
        const transfer = new DataTransfer();
        transfer.items.add(new File([crypto.getRandomValues(new Uint8Array(65536)), new Uint8Array(bytes - 65536)], name));
        return transfer;
    }
    function drop(transfer) {
        const main = document.querySelector('main');
        for (const kind of ['dragover', 'drop']) main.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }
    function paste(transfer) {
        const box = document.querySelector('[data-testid=message-input]');
        box.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }));
    }
    function pick(transfer) {
        const input = document.querySelector('[data-testid=file-input]');
        input.files = transfer.files;
        input.dispatchEvent(new Event('change', { bubbles: true }));
    }
    0";

/// The states of what is attached, once they are these.
async fn until_attached(page: &Page, states: &[&str]) -> Result<()> {
    let shown = format!(
        "JSON.stringify([...document.querySelectorAll('{}')].map(one => one.dataset.state))",
        by("attachment")
    );
    page.until(&format!("{shown} === {:?}", json!(states).to_string()))
        .await
}

/// A picture is drawn, not only named.
fn is_drawn(count: usize) -> String {
    format!(
        "[...document.querySelectorAll('{} img')].filter(image => image.complete && image.naturalWidth > 0).length === {count}",
        by("picture")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_with_messages() -> Result<()> {
    let chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let Meeting { at_ada, at_ben, .. } = Meeting::begin(&chromium, &chatx).await?;
    at_ada.evaluate(HAND_OVER).await?;

    // Dropped and chosen, with a text.
    at_ada
        .evaluate("handOver('pier 1200x800.png', 'boat 300x500.png').then(drop)")
        .await?;
    at_ada.evaluate("handOver('tides.txt').then(pick)").await?;
    until_attached(&at_ada, &["done", "done", "done"]).await?;
    at_ada.evaluate("document.querySelector('main').dispatchEvent(new DragEvent('dragover', { dataTransfer: large('x', 70000), bubbles: true, cancelable: true }))").await?;
    at_ada.until_visible(".drop").await?;
    at_ada.evaluate("document.querySelector('main').dispatchEvent(new DragEvent('dragleave', { bubbles: true }))").await?;
    if let Some(axe) = axe() {
        assert_faultless(&at_ada, &axe, "files on their way").await?;
    }
    say(&at_ada, "From this morning").await?;
    for page in [&at_ada, &at_ben] {
        page.until_text("From this morning").await?;
        page.until(&is_drawn(2)).await?;
        let boxes = "[...document.querySelectorAll('[data-testid=picture] img')].map(image => [image.width, image.height])";
        assert_eq!(page.evaluate(boxes).await?, json!([[220, 147], [90, 150]]));
    }
    until_attached(&at_ada, &[]).await?;
    let saved = format!(
        "(async () => {{ const link = document.querySelector('{}'); return [link.download, await (await fetch(link.href)).text()]; }})()",
        by("file")
    );
    assert_eq!(
        at_ben.evaluate(&saved).await?,
        json!(["tides.txt", "what is in tides.txt"])
    );

    // Looked at in large, by keys.
    let named = |name: &str| {
        format!(
            "document.querySelector('{}')?.innerText.includes({name:?})",
            by("lightbox")
        )
    };
    at_ben.click(&by("picture")).await?;
    at_ben.until(&named("pier")).await?;
    at_ben.until("(image => image?.complete && image.naturalWidth === 1200)(document.querySelector('.lightbox-view img'))").await?;
    if let Some(axe) = axe() {
        assert_faultless(&at_ben, &axe, "a picture").await?;
    }
    at_ben.press("ArrowRight").await?;
    at_ben.until(&named("boat")).await?;
    at_ben
        .until(&format!(
            "document.querySelector('{}') === null",
            by("picture-forth")
        ))
        .await?;
    at_ben.press("ArrowLeft").await?;
    at_ben.until(&named("pier")).await?;
    at_ben.press("Escape").await?;
    at_ben
        .until("document.querySelector('dialog[open]') === null && document.activeElement.matches('.picture')")
        .await?;

    // Pasted, alone; found by what it is; gone with its message.
    at_ada
        .evaluate("handOver('knot 64x64.png').then(paste)")
        .await?;
    until_attached(&at_ada, &["done"]).await?;
    at_ada.click(&by("send")).await?;
    at_ben.until(&is_drawn(3)).await?;
    at_ben
        .until(
            "document.querySelector('.room-item .room-last').innerText.includes('knot 64x64.png')",
        )
        .await?;

    // From there one looks through all pictures of the room, and goes to the message of any.
    at_ben
        .click(&format!("{}[aria-label*=knot]", by("picture")))
        .await?;
    at_ben.until(&named("knot")).await?;
    for name in ["boat", "pier"] {
        at_ben.until_visible(&by("picture-back")).await?;
        at_ben.press("ArrowLeft").await?;
        at_ben.until(&named(name)).await?;
    }
    at_ben.click(&by("picture-message")).await?;
    at_ben
        .until("document.querySelector('.message.found')?.innerText.includes('From this morning')")
        .await?;
    let room = at_ben.evaluate("location.hash.split('/')[2]").await?;
    at_ben
        .evaluate(&format!("location.hash = '#/search?room=' + {room}"))
        .await?;
    at_ben.click(&by("search-file")).await?;
    at_ben
        .until(&format!(
            "document.querySelectorAll('{}').length === 2",
            by("hit")
        ))
        .await?;
    if let Some(axe) = axe() {
        assert_faultless(&at_ben, &axe, "a search by kind").await?;
    }
    at_ben.click(&by("hit")).await?;
    at_ben
        .until("document.querySelector('.message.found .picture') !== null")
        .await?;
    choose(&at_ada, "From this morning", "delete").await?;
    at_ada.click("dialog .danger").await?;
    for page in [&at_ada, &at_ben] {
        page.until(&is_drawn(1)).await?;
        assert_eq!(page.console(), Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_given_up_interrupted_or_awaited() -> Result<()> {
    let chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let Meeting { at_ada, at_ben, .. } = Meeting::begin(&chromium, &chatx).await?;
    let slowly = |bytes_per_s: i64| {
        let network = json!({"offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_s});
        at_ada.call("Network.emulateNetworkConditions", network)
    };
    at_ada.call("Network.enable", json!({})).await?;
    at_ada.evaluate(HAND_OVER).await?;

    at_ada
        .evaluate("drop(large('too much.bin', 26 * 1024 * 1024))")
        .await?;
    at_ada
        .until_text("too much.bin is larger than 25 MiB")
        .await?;
    until_attached(&at_ada, &[]).await?;

    // Half of it is on its way: one is given up, the other is lost to a reload, and says so.
    slowly(200_000).await?;
    at_ada
        .type_into(&by("message-input"), "As promised")
        .await?;
    at_ada
        .evaluate("drop(large('first.bin', 4_000_000)); drop(large('second.bin', 4_000_000))")
        .await?;
    at_ada
        .until("[...document.querySelectorAll('.tray progress')].filter(one => one.value > 0 && one.value < one.max).length === 2")
        .await?;
    at_ada.click(&by("remove-attachment")).await?;
    until_attached(&at_ada, &["uploading"]).await?;
    at_ada.reload().await?;
    until_attached(&at_ada, &["interrupted"]).await?;
    at_ada.until_text("second.bin").await?;
    at_ada
        .until(&format!(
            "document.querySelector('{}').value === 'As promised' && document.querySelector('{}').disabled",
            by("message-input"),
            by("send")
        ))
        .await?;
    at_ada.click(&by("remove-attachment")).await?;

    // What is sent before its file is there goes when it is.
    at_ada.evaluate(HAND_OVER).await?;
    slowly(100_000).await?;
    at_ada
        .evaluate("drop(large('third.bin', 1_000_000))")
        .await?;
    until_attached(&at_ada, &["uploading"]).await?;
    at_ada.press("Enter").await?;
    at_ada
        .evaluate("document.querySelector('[data-testid=message-input]').focus()")
        .await?;
    at_ada.press("Enter").await?;
    at_ada
        .until_text("Sent as soon as its files are uploaded")
        .await?;
    slowly(-1).await?;
    at_ben.until_text("As promised").await?;
    at_ben.until_text("third.bin").await?;
    let drafts = "Object.keys(localStorage).filter(key => /^chatx\\.(draft|files)/.test(key))";
    assert_eq!(at_ada.evaluate(drafts).await?, json!([]));
    for page in [&at_ada, &at_ben] {
        assert_eq!(page.console(), Vec::<String>::new());
    }
    Ok(())
}

/// How many files the server keeps.
fn kept(chatx: &Chatx) -> Result<usize> {
    let mut folders = vec![chatx.data_directory().join("files")];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => folders.push(entry.path()),
                false => count += 1,
            }
        }
    }
    Ok(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_on_the_way_is_uploaded_or_written_again() -> Result<()> {
    let mut chatx = unlimited()
        .set("CHATX_LIMIT_FILE_UNSENT_MAX_S", "1")
        .start()
        .await?;
    let chromium = Chromium::start().await?;
    let Meeting { at_ada, at_ben, .. } = Meeting::begin(&chromium, &chatx).await?;
    for (page, file, text) in [
        (&at_ada, "tides.txt", "The tides"),
        (&at_ben, "knots.txt", "The knots"),
    ] {
        page.evaluate(HAND_OVER).await?;
        page.evaluate(&format!("handOver({file:?}).then(pick)"))
            .await?;
        until_attached(page, &["done"]).await?;
        page.type_into(&by("message-input"), text).await?;
    }
    assert_eq!(kept(&chatx)?, 2);

    // The server is away while a file is to be uploaded, and takes it when it is back; what waited too long is gone.
    chatx.kill_9()?;
    at_ada.evaluate("handOver('late.txt').then(pick)").await?;
    until_attached(&at_ada, &["done", "failed"]).await?;
    at_ada.until_text("The server cannot be reached").await?;
    if let Some(axe) = axe() {
        assert_faultless(&at_ada, &axe, "a failed upload").await?;
    }
    chatx.restart().await?;
    while kept(&chatx)? > 0 {
        // It sweeps as soon as it begins, and was the younger of the two too young, then the next time.
        chatx.kill_9()?;
        chatx.restart().await?;
    }
    at_ada.click(&by("retry-upload")).await?;
    until_attached(&at_ada, &["done", "done"]).await?;

    // Written again with the files chosen anew, or sent without them.
    at_ada.click(&by("send")).await?;
    at_ada.until_text("A file of this message is gone").await?;
    at_ada.click(&by("write-again")).await?;
    until_attached(&at_ada, &["interrupted", "interrupted"]).await?;
    at_ada
        .until(&format!(
            "document.querySelector('{}').value === 'The tides'",
            by("message-input")
        ))
        .await?;
    for left in [&["interrupted"][..], &[]] {
        at_ada.click(&by("remove-attachment")).await?;
        until_attached(&at_ada, left).await?;
    }
    at_ada.evaluate("handOver('tides.txt').then(pick)").await?;
    until_attached(&at_ada, &["done"]).await?;
    at_ada.click(&by("send")).await?;
    at_ben.click(&by("send")).await?;
    at_ben.click(&by("send-without")).await?;
    for page in [&at_ada, &at_ben] {
        page.until(&format!(
            "{}?.innerText.includes('tides.txt')",
            line("The tides")
        ))
        .await?;
        page.until(&format!("{} !== undefined", line("The knots")))
            .await?;
        assert_eq!(
            page.evaluate(&format!(
                "document.querySelectorAll('{}').length",
                by("file")
            ))
            .await?,
            json!(1)
        );
    }
    Ok(())
}
