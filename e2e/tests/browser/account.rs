//! The life of an account: its address, a forgotten password, codes at login.

use std::{collections::BTreeSet, fs, path::PathBuf, time::Instant};

use anyhow::{Context as _, Result, bail};
use chatx_e2e::{PATIENCE, unique, unlimited};
use testkit::{Chatx, Chromium, Page};

use crate::{
    everybody::{assert_faultless, axe},
    meeting::{by, register},
};

pub(crate) const PASSWORD: &str = "plain sailing 1843";

/// The mails that a server has sent, as files below its directory.
struct Mailbox {
    folder: PathBuf,
    read: BTreeSet<PathBuf>,
}

impl Mailbox {
    fn of(chatx: &Chatx) -> Self {
        Self {
            folder: chatx.data_directory().join("mail"),
            read: BTreeSet::new(),
        }
    }

    /// The part after `#` of the link in the next mail that has one to this page.
    async fn link(&mut self, page: &str) -> Result<String> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            for file in fs::read_dir(&self.folder).into_iter().flatten() {
                let file = file?.path();
                // A long line is folded where it is sent.
                let text = fs::read_to_string(&file)?.replace("=\r\n", "");
                let Some((_, link)) = text.split_once(&format!("#/{page}/")) else {
                    continue;
                };
                if self.read.insert(file) {
                    let token: String = link
                        .chars()
                        .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
                        .collect();
                    return Ok(format!("#/{page}/{token}"));
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
        bail!("no mail with a link to {page}")
    }
}

pub(crate) async fn go(page: &Page, hash: &str) -> Result<()> {
    page.evaluate(&format!("location.hash = {hash:?}"))
        .await
        .map(drop)
}

pub(crate) async fn log_out(page: &Page) -> Result<()> {
    go(page, "#/settings/profile").await?;
    page.click(&by("logout")).await?;
    page.until_visible(&by("login-form")).await
}

pub(crate) async fn log_in(page: &Page, login: &str, password: &str) -> Result<()> {
    page.type_into(&by("username"), login).await?;
    page.type_into(&by("password"), password).await?;
    page.click(&by("submit")).await
}

/// The code that an authenticator shows now, or a number of steps of 30 s later.
async fn code(page: &Page, secret: &str, later: u32) -> Result<String> {
    let code = page
        .evaluate(&format!(
            "(async () => {{
                const bits = [...{secret:?}.replace(/[ =]/g, '')]
                    .map(sign => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(sign).toString(2).padStart(5, '0')).join('');
                const bytes = Uint8Array.from(bits.match(/.{{8}}/g), byte => parseInt(byte, 2));
                const key = await crypto.subtle.importKey('raw', bytes, {{name: 'HMAC', hash: 'SHA-1'}}, false, ['sign']);
                const step = new DataView(new ArrayBuffer(8));
                step.setBigUint64(0, BigInt(Math.floor(Date.now() / 30000) + {later}));
                const mac = new DataView(await crypto.subtle.sign('HMAC', key, step.buffer));
                const number = mac.getUint32(mac.getUint8(19) & 15) & 0x7fffffff;
                return String(number % 1000000).padStart(6, '0');
            }})()"
        ))
        .await?;
    Ok(code.as_str().context("a code is a text")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_lead_to_a_verified_address_and_a_new_password() -> Result<()> {
    let chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let ada = unique("ada");
    let page = register(&chromium, &chatx, &ada).await?;
    let mut mails = Mailbox::of(&chatx);

    page.until_visible(&by("verify-email")).await?;
    go(&page, &mails.link("verify").await?).await?;
    page.until_text("it is verified").await?;
    page.until(&format!(
        "document.querySelector('{}') === null",
        by("verify-email")
    ))
    .await?;
    assert_eq!(page.console(), Vec::<String>::new());

    log_out(&page).await?;
    page.click(&by("forgot")).await?;
    page.until_visible(&by("forgot-form")).await?;
    page.type_into(&by("username"), &ada).await?;
    if let Some(axe) = axe() {
        assert_faultless(&page, &axe, "a forgotten password").await?;
    }
    page.click(&by("submit")).await?;
    page.until_text("a mail is on its way").await?;
    go(&page, &mails.link("reset").await?).await?;
    page.type_into(&by("new-password"), "another harbour 1844")
        .await?;
    page.click(&by("submit")).await?;
    page.until_text("Your password is set").await?;
    page.click(".auth-other a").await?;
    log_in(&page, &ada, PASSWORD).await?;
    page.until_text("do not go together").await?;
    page.reload().await?;
    log_in(&page, &ada, "another harbour 1844").await?;
    page.until_visible(&by("room-list")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_guard_a_login_and_each_is_good_once() -> Result<()> {
    let chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let ada = unique("ada");
    let page = register(&chromium, &chatx, &ada).await?;

    // The page has shown the rooms, and leads there no more.
    page.until_visible(&by("verify-email")).await?;
    go(&page, "#/settings/security").await?;
    page.type_into(&by("totp-password"), PASSWORD).await?;
    page.click(&format!("{} {}", by("totp-begin"), by("submit")))
        .await?;
    page.until_visible(&by("qr-code")).await?;
    let secret = page
        .evaluate(&format!(
            "document.querySelector('{}').value",
            by("totp-secret")
        ))
        .await?;
    let secret = secret.as_str().context("a secret is shown")?;
    if let Some(axe) = axe() {
        assert_faultless(&page, &axe, "setting up codes").await?;
    }
    page.type_into(&by("totp-code"), &code(&page, secret, 0).await?)
        .await?;
    page.click(&format!("{} {}", by("totp-confirm"), by("submit")))
        .await?;
    page.until_visible(&by("recovery-codes")).await?;
    let recovery = page
        .evaluate("document.querySelector('.recovery-codes code').innerText")
        .await?;
    let recovery = recovery.as_str().context("a recovery code is shown")?;
    page.click(&by("codes-kept")).await?;
    page.until_visible(&format!("{}[data-state=on]", by("totp-setting")))
        .await?;

    for (with, good) in [(recovery, true), (recovery, false)] {
        log_out(&page).await?;
        log_in(&page, &ada, PASSWORD).await?;
        page.until_visible(&by("code-form")).await?;
        page.type_into(&by("totp"), with).await?;
        page.click(&by("submit")).await?;
        if good {
            page.until_visible(&by("room-list")).await?;
        } else {
            page.until_text("This is not the code").await?;
        }
    }
    page.reload().await?;
    log_in(&page, &ada, PASSWORD).await?;
    page.type_into(&by("totp"), &code(&page, secret, 1).await?)
        .await?;
    page.click(&by("submit")).await?;
    page.until_visible(&by("room-list")).await
}
