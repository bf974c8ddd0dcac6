//! One page of the browser, used as a person uses it: by what is seen, clicked and typed.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    cdp::{Connection, exception},
    chromium::text,
    home::PATIENCE,
};

/// A page with cookies and storage of its own. It stays open until the browser ends or it is closed.
pub struct Page {
    pub(crate) connection: Connection,
    pub(crate) context: String,
    pub(crate) target: String,
    pub(crate) session: String,
}

impl Page {
    /// Goes to a url and waits until it is loaded.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn navigate(&self, url: &str) -> Result<()> {
        let answer = self.call("Page.navigate", json!({"url": url})).await?;
        if let Some(error) = answer["errorText"].as_str() {
            bail!("cannot load {url}: {error}");
        }
        self.until("document.readyState === 'complete'").await
    }

    /// # Errors
    /// When the page does not load again.
    pub async fn reload(&self) -> Result<()> {
        self.evaluate("window.__before_reload = true").await?;
        self.call("Page.reload", json!({})).await?;
        self.until("!window.__before_reload && document.readyState === 'complete'")
            .await
    }

    /// The value of a JavaScript expression, awaited when it is a promise.
    ///
    /// # Errors
    /// When it throws.
    pub async fn evaluate(&self, expression: &str) -> Result<Value> {
        let parameters = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        let answer = self.call("Runtime.evaluate", parameters).await?;
        if let Some(details) = answer.get("exceptionDetails") {
            bail!("{expression}: {}", exception(details));
        }
        Ok(answer["result"]["value"].clone())
    }

    /// Waits until a JavaScript expression is true.
    ///
    /// # Errors
    /// When it is not within a minute, or the browser is gone; the error has what the page shows and
    /// its console.
    pub async fn until(&self, condition: &str) -> Result<()> {
        let start = Instant::now();
        // A page that is being left takes its answer with it: ask the next one.
        while !self
            .evaluate(&format!("Boolean({condition})"))
            .await
            .is_ok_and(|holds| holds == true)
        {
            if start.elapsed() > PATIENCE || self.connection.is_closed() {
                let why = self.evaluate(&format!("Boolean({condition})")).await.err();
                let shown = self
                    .evaluate("document.body.innerText")
                    .await
                    .unwrap_or_default();
                let shown = shown.as_str().unwrap_or_default();
                let focus = self
                    .evaluate("document.activeElement?.outerHTML.slice(0, 200)")
                    .await
                    .unwrap_or_default();
                let console = self.console().join("\n");
                bail!(
                    "never true: {condition} {why:?}\nthe page shows:\n{shown}\nthe focus is at:\n{focus}\n\
                     its console:\n{console}"
                );
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        Ok(())
    }

    /// Waits until an element is there and seen.
    ///
    /// # Errors
    /// When it is not within a minute.
    pub async fn until_visible(&self, selector: &str) -> Result<()> {
        self.until(&format!("{}?.checkVisibility()", query(selector)))
            .await
    }

    /// Waits until a text is shown.
    ///
    /// # Errors
    /// When it is not within a minute.
    pub async fn until_text(&self, shown: &str) -> Result<()> {
        self.until(&format!(
            "document.body.innerText.includes({})",
            json!(shown)
        ))
        .await
    }

    /// Clicks the middle of an element with the mouse, once it is seen.
    ///
    /// # Errors
    /// When it never is, or something else lies over it.
    pub async fn click(&self, selector: &str) -> Result<()> {
        self.until_visible(selector).await?;
        let place = self
            .evaluate(&format!(
                "(() => {{ const element = {element}; element.scrollIntoView({{block: 'center', behavior: 'instant'}});
                    const box = element.getBoundingClientRect();
                    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
                    const hit = document.elementFromPoint(x, y);
                    return {{x, y, hit: element.contains(hit) || Boolean(hit?.contains(element)), over: hit?.outerHTML.slice(0, 200)}}; }})()",
                element = query(selector)
            ))
            .await?;
        ensure!(
            place["hit"] == true,
            "{selector} is covered by {}",
            place["over"]
        );
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let event = json!({"type": kind, "x": place["x"], "y": place["y"], "button": button, "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event).await?;
        }
        Ok(())
    }

    /// Types into a field, after what it holds already.
    ///
    /// # Errors
    /// When the field is never seen.
    pub async fn type_into(&self, selector: &str, typed: &str) -> Result<()> {
        self.until_visible(selector).await?;
        self.evaluate(&format!("{}.focus()", query(selector)))
            .await?;
        self.call("Input.insertText", json!({"text": typed}))
            .await?;
        Ok(())
    }

    /// Presses a key (`Enter`, `ArrowUp`, `?`, …), or keys together (`Control+Shift+f`), where the focus is.
    ///
    /// # Errors
    /// When the browser refuses or is gone.
    pub async fn press(&self, keys: &str) -> Result<()> {
        let (held, key) = match keys.rsplit_once('+') {
            Some((held, key)) if !key.is_empty() => (held, key),
            _ => ("", keys),
        };
        let modifiers = held.split('+').fold(0, |all, one| {
            all | match one {
                "Alt" => 1,
                "Control" => 2,
                "Meta" => 4,
                "Shift" => 8,
                _ => 0,
            }
        });
        let code = virtual_key(key);
        let mut event = json!({
            "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers,
        });
        if key == "Enter" {
            event["text"] = "\r".into();
        } else if key.chars().count() == 1 && modifiers & !8 == 0 {
            event["text"] = key.into();
        }
        self.call("Input.dispatchKeyEvent", event.clone()).await?;
        event["type"] = "keyUp".into();
        self.call("Input.dispatchKeyEvent", event).await?;
        Ok(())
    }

    /// What a window of this size would show; `phone` adds touch and mobile layout.
    ///
    /// # Errors
    /// When the browser refuses or is gone.
    pub async fn resize(&self, width: u32, height: u32, phone: bool) -> Result<()> {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone});
        self.call("Emulation.setDeviceMetricsOverride", metrics)
            .await?;
        self.call(
            "Emulation.setTouchEmulationEnabled",
            json!({"enabled": phone}),
        )
        .await?;
        Ok(())
    }

    /// What the person prefers: `light` or `dark`, and whether motion is to be reduced.
    ///
    /// # Errors
    /// When the browser refuses or is gone.
    pub async fn prefer(&self, scheme: &str, reduced_motion: bool) -> Result<()> {
        let motion = if reduced_motion {
            "reduce"
        } else {
            "no-preference"
        };
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion},
        ]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}))
            .await?;
        Ok(())
    }

    /// Writes what the page shows to a PNG file.
    ///
    /// # Errors
    /// When the browser refuses or the file cannot be written.
    pub async fn screenshot(&self, file: impl AsRef<Path>) -> Result<()> {
        let answer = self
            .call("Page.captureScreenshot", json!({"format": "png"}))
            .await?;
        fs::write(file, BASE64_STANDARD.decode(text(&answer, "data")?)?)?;
        Ok(())
    }

    /// What the page printed, threw, or could not load so far, as `error: …`, `log: …`, `exception: …`.
    pub fn console(&self) -> Vec<String> {
        self.connection.console(&self.session)
    }

    /// Any other command of the Chrome DevTools Protocol.
    ///
    /// # Errors
    /// When the browser refuses or is gone.
    pub async fn call(&self, method: &str, parameters: Value) -> Result<Value> {
        self.connection
            .call(Some(&self.session), method, parameters)
            .await
    }

    /// Closes it at once, as a person closes a tab, and forgets its cookies.
    ///
    /// # Errors
    /// When the browser is gone.
    pub async fn close(self) -> Result<()> {
        self.connection
            .call(None, "Target.closeTarget", json!({"targetId": self.target}))
            .await?;
        let context = json!({"browserContextId": self.context});
        self.connection
            .call(None, "Target.disposeBrowserContext", context)
            .await?;
        Ok(())
    }
}

fn query(selector: &str) -> String {
    format!("document.querySelector({})", json!(selector))
}

/// What Windows calls a key, which decides what a browser does with it by itself.
fn virtual_key(key: &str) -> u32 {
    match key {
        "Backspace" => 8,
        "Tab" => 9,
        "Enter" => 13,
        "Escape" => 27,
        " " => 32,
        "End" => 35,
        "Home" => 36,
        "ArrowLeft" => 37,
        "ArrowUp" => 38,
        "ArrowRight" => 39,
        "ArrowDown" => 40,
        "Delete" => 46,
        _ => match key.as_bytes() {
            [one] if one.is_ascii_alphanumeric() => one.to_ascii_uppercase().into(),
            _ => 0,
        },
    }
}
