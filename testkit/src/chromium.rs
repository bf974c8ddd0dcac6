//! A headless Chromium and its pages, each a stranger to the others.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::{
    Page,
    cdp::Connection,
    home::Home,
    source::{self, Source, Wanted},
};

const WANTED: Wanted = Wanted {
    name: "Chromium",
    executables: &[
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "chromium-headless-shell",
        "Google Chrome",
        "Chromium",
    ],
    folders: &[
        "/usr/lib/chromium",
        "/Applications/Google Chrome.app/Contents/MacOS",
        "/Applications/Chromium.app/Contents/MacOS",
    ],
    apt: Some("chromium-headless-shell"),
    build: None,
    brew: None,
    image: None,
    suits: |program| program.version().map(drop),
};

const FLAGS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
];

/// A running browser, which ends when this is dropped or the test is killed.
pub struct Chromium {
    connection: Connection,
    // Dropped after the connection.
    _home: Home,
}

impl Chromium {
    /// Starts a new browser with an empty profile, finding or fetching Chromium when needed.
    ///
    /// # Errors
    /// When there is no Chromium to be had, or it does not start.
    pub async fn start() -> Result<Self> {
        let mut home = spawn_blocking(|| {
            let Source::Program(program) = source::find(&WANTED)? else {
                bail!("Chromium runs in no container")
            };
            let mut home = Home::new("chromium", "KILL")?;
            let mut command = program.command();
            command.args(FLAGS).arg(format!(
                "--user-data-dir={}",
                home.path().join("profile").display()
            ));
            // Whatever it writes beside its profile.
            command
                .env("HOME", home.path())
                .env("XDG_CONFIG_HOME", home.path())
                .env("XDG_CACHE_HOME", home.path());
            if let Some(root) = &program.root {
                command.env("FONTCONFIG_FILE", fonts_of(root, &home)?);
            }
            home.start(&command)?;
            Ok(home)
        })
        .await??;
        // It writes the port that it chose, and the path, into this file.
        let file = home.path().join("profile/DevToolsActivePort");
        home.until_ready("Chromium", async || endpoint(&file).is_some())
            .await?;
        let endpoint = endpoint(&file).context("Chromium does not say where it listens")?;
        Ok(Self {
            connection: Connection::open(&endpoint).await?,
            _home: home,
        })
    }

    /// A new page, blank, that shares neither cookies nor storage with any other.
    ///
    /// # Errors
    /// When the browser refuses or is gone.
    pub async fn page(&self) -> Result<Page> {
        let browser = &self.connection;
        let context = browser
            .call(None, "Target.createBrowserContext", json!({}))
            .await?;
        let context = text(&context, "browserContextId")?;
        let target = json!({"url": "about:blank", "browserContextId": context, "width": 1280, "height": 800});
        let target = text(
            &browser.call(None, "Target.createTarget", target).await?,
            "targetId",
        )?;
        let attach = json!({"targetId": target, "flatten": true});
        let session = text(
            &browser.call(None, "Target.attachToTarget", attach).await?,
            "sessionId",
        )?;
        let page = Page {
            connection: browser.clone(),
            context,
            target,
            session,
        };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({})).await?;
        }
        Ok(page)
    }
}

/// Names the fonts of the system and of the unpacked packages: Chromium ends without any.
fn fonts_of(root: &Path, home: &Home) -> Result<PathBuf> {
    let file = home.path().join("fonts.conf");
    let fonts = format!(
        "<fontconfig><dir>/usr/share/fonts</dir><dir>{}/usr/share/fonts</dir>\
         <cachedir>{}/fontconfig</cachedir></fontconfig>",
        root.display(),
        home.path().display()
    );
    fs::write(&file, fonts)?;
    Ok(file)
}

fn endpoint(file: &Path) -> Option<String> {
    let content = fs::read_to_string(file).ok()?;
    let (port, path) = content.split_once('\n')?;
    path.starts_with("/devtools/")
        .then(|| format!("ws://127.0.0.1:{port}{}", path.trim()))
}

/// A field of an answer that the protocol says is there.
pub(crate) fn text(answer: &Value, field: &str) -> Result<String> {
    Ok(answer[field]
        .as_str()
        .with_context(|| format!("no {field} in {answer}"))?
        .to_owned())
}
