//! Logging in by the word of a real OpenID provider, in a browser that goes there and comes back.

use anyhow::Result;
use chatx_e2e::{unique, unlimited};
use serde_json::json;
use testkit::{Chatx, Chromium, OidcProvider, Page};

use crate::{
    account::{PASSWORD, go, log_in, log_out},
    everybody::{assert_faultless, axe},
    meeting::{by, register},
};

/// A server that believes a provider.
async fn start(provider: &OidcProvider) -> Result<Chatx> {
    let chatx = unlimited()
        .set("CHATX_OIDC_MOCK_ISSUER", provider.url())
        .set("CHATX_OIDC_MOCK_CLIENT_ID", "chat")
        .set("CHATX_OIDC_MOCK_CLIENT_SECRET", "of the test")
        .set("CHATX_OIDC_MOCK_NAME", "The mock");
    chatx.start().await
}

/// A page that needs no network: the provider's form has its style sheet elsewhere, and looks as it likes.
async fn page(chromium: &Chromium) -> Result<Page> {
    let page = chromium.page().await?;
    offline(&page).await?;
    Ok(page)
}

async fn offline(page: &Page) -> Result<()> {
    page.call("Network.enable", json!({})).await?;
    let blocked = json!({ "urls": ["https://*"] });
    page.call("Network.setBlockedURLs", blocked).await?;
    Ok(())
}

/// Fills in the provider's form.
async fn vouch(page: &Page, subject: &str) -> Result<()> {
    page.type_into("input[name=sub]", subject).await?;
    page.click("form:has(input[name=sub]) button").await
}

async fn username(page: &Page) -> Result<String> {
    let me = "fetch('/v1/users/me').then(answer => answer.json()).then(me => me.username)";
    let username = page.evaluate(me).await?;
    Ok(username.as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_comes_by_a_provider_and_is_in() -> Result<()> {
    let provider = OidcProvider::start().await?;
    let (chatx, chromium) = (start(&provider).await?, Chromium::start().await?);
    let claims = r#"{"email":"ada@example.com","email_verified":true,"name":"Ada Lovelace","preferred_username":"ada"}"#;
    provider.knows("1815", claims).await?;
    let page = page(&chromium).await?;
    page.navigate(&format!("{}/#/settings/security", chatx.url()))
        .await?;
    page.until_text("Continue with The mock").await?;
    if let Some(axe) = axe() {
        assert_faultless(&page, &axe, "a way in by a provider").await?;
    }
    page.click(&by("provider")).await?;
    vouch(&page, "1815").await?;
    // Where they wanted to go before, and nothing of the visit is left in the address.
    page.until_visible(&by("identities")).await?;
    page.until_text("ada@example.com").await?;
    page.until("location.search === '' && location.hash === '#/settings/security'")
        .await?;
    assert_eq!(username(&page).await?, "ada");
    page.until_text("You log in elsewhere and have no password here")
        .await?;
    if let Some(axe) = axe() {
        assert_faultless(&page, &axe, "identities").await?;
    }
    page.click(&by("remove-identity")).await?;
    page.until_text("Set a password first").await?;
    page.reload().await?;
    page.until_visible(&by("identity")).await?;

    log_out(&page).await?;
    page.click(&by("provider")).await?;
    vouch(&page, "1815").await?;
    page.until_visible(&by("room-list")).await?;
    assert_eq!(username(&page).await?, "ada");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_adds_a_provider_to_the_account_that_they_have() -> Result<()> {
    let provider = OidcProvider::start().await?;
    let (chatx, chromium) = (start(&provider).await?, Chromium::start().await?);
    let ada = unique("ada");
    let page = register(&chromium, &chatx, &ada).await?;
    offline(&page).await?;
    let claims = format!(r#"{{"email":"{ada}@example.com","email_verified":true}}"#);
    provider.knows("1815", &claims).await?;

    // Nobody has verified here that the address is theirs, so the provider's word is not enough.
    log_out(&page).await?;
    page.click(&by("provider")).await?;
    vouch(&page, "1815").await?;
    page.until_visible(&by("visit-refused")).await?;
    page.until_text("There is an account with your address already")
        .await?;

    log_in(&page, &ada, PASSWORD).await?;
    page.until_visible(&by("room-list")).await?;
    go(&page, "#/settings/security").await?;
    page.click(&by("add-identity")).await?;
    page.type_into(&by("identity-password"), PASSWORD).await?;
    page.click(&format!("{} {}", by("identity-form"), by("submit")))
        .await?;
    vouch(&page, "1815").await?;
    page.until_visible(&by("identity")).await?;
    page.until("location.search === '' && location.hash === '#/settings/security'")
        .await?;

    log_out(&page).await?;
    page.click(&by("provider")).await?;
    vouch(&page, "1815").await?;
    page.until_visible(&by("room-list")).await?;
    assert_eq!(username(&page).await?, ada);
    go(&page, "#/settings/security").await?;
    page.click(&by("remove-identity")).await?;
    let gone = format!("document.querySelector('{}') === null", by("identity"));
    page.until(&gone).await?;
    Ok(())
}
