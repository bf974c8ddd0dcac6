//! What the kit promises of Chromium: people at a page, apart from each other.

use std::fs;

use anyhow::{Result, ensure};
use testkit::Chromium;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const HTML: &str = "<!doctype html><title>A page</title>
<form><input name=who><button>Greet</button></form><p></p>
<script>
document.querySelector('form').onsubmit = event => {
    event.preventDefault();
    const who = document.querySelector('input').value;
    document.cookie = 'who=' + who;
    document.querySelector('p').textContent = 'Hello, ' + who;
    console.log('greeted', who);
};
</script>";

#[tokio::test]
async fn two_people_use_a_page_without_meeting() -> Result<()> {
    let url = serve_page().await?;
    let chromium = Chromium::start().await?;
    let (ann, ben) = (chromium.page().await?, chromium.page().await?);

    ann.navigate(&url).await?;
    ann.type_into("input", "Ann").await?;
    ann.click("button").await?;
    ann.until_text("Hello, Ann").await?;
    ensure!(
        ann.console().contains(&"log: greeted Ann".to_owned()),
        "{:?}",
        ann.console()
    );

    ben.navigate(&url).await?;
    ensure!(ben.evaluate("document.cookie").await? == "");
    ben.type_into("input", "Ben").await?;
    ben.press("Enter").await?;
    ben.until_text("Hello, Ben").await?;
    ensure!(ann.evaluate("Promise.resolve(document.cookie)").await? == "who=Ann");

    ensure!(ann.evaluate("nonsense()").await.is_err());
    ann.reload().await?;
    ensure!(
        ann.evaluate("document.querySelector('p').textContent")
            .await?
            == ""
    );
    Ok(())
}

#[tokio::test]
async fn a_page_is_seen_on_a_phone_in_the_dark() -> Result<()> {
    let url = serve_page().await?;
    let chromium = Chromium::start().await?;
    let page = chromium.page().await?;
    page.resize(390, 844, true).await?;
    page.prefer("dark", true).await?;
    page.navigate(&url).await?;
    ensure!(
        page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
            .await?
            == true
    );
    ensure!(
        page.evaluate("matchMedia('(prefers-reduced-motion: reduce)').matches")
            .await?
            == true
    );
    ensure!(page.evaluate("screen.width").await? == 390);

    let file = std::env::temp_dir().join(format!("chatx-testkit-{}.png", std::process::id()));
    page.screenshot(&file).await?;
    let image = fs::read(&file)?;
    fs::remove_file(&file)?;
    ensure!(image.starts_with(b"\x89PNG"));
    page.close().await
}

/// Serves the page for as long as the test runs.
async fn serve_page() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{HTML}",
                HTML.len()
            );
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    Ok(url)
}
