//! `docs/settings.md`, made from the table of settings.

use std::fmt::Write as _;

use super::{PREFIX, PROVIDER_SETTINGS, ProviderSetting, SETTINGS, Section};

const OPENING: &str = "\
# Settings

Everything has a default: `chatx serve` needs no setting at all. A setting comes from a flag
(`--listen`), else from the environment (`CHATX_LISTEN`), else from the TOML file that `--config` or
`CHATX_CONFIG` names (`listen = \"…\"`; `[limit] body_max_chars = 10` is `CHATX_LIMIT_BODY_MAX_CHARS`).
A name that ends in `_FILE` reads the value from a file: `DATABASE_URL_FILE=/run/secrets/database`.
An empty value counts as none.

All of them are checked at start, every mistake is named at once, and the process ends with code 2. A
`CHATX_…` name that does not exist is refused with the nearest that does (names that begin with
`CHATX_TEST_` belong to the tests and are passed over). `chatx config` shows every value and where it
comes from, and hides secrets.

A rate is written `5/300s`: five at once, then one more every 300 seconds (`ms`, `s`, `min`, `h`).

This page is made from the table in `shared/src/settings/table.rs`.
";

const OF_PROVIDERS: &str = "
## Providers

People may log in by whoever else knows them and speaks OpenID Connect: Google, Microsoft Entra, Okta, Keycloak, Authentik, GitLab …
Register ChatX there as a web application (authorization code, PKCE) with the redirect url
`<public url>/v1/auth/oidc/<id>/callback`, and give what you get by settings that have an `<ID>` of your choice in their names, of
letters, digits and `_`; any number of providers is possible. The page then has a button for each. As a file:

```toml
public_url = \"https://chat.example.com\"
[oidc.example]
name = \"Example\"
issuer = \"https://id.example.com\"
client_id = \"chatx\"
client_secret_file = \"/run/secrets/oidc_example\"
```

All processes that serve HTTP need the same ones. `CHATX_PUBLIC_URL` must be the url that people have in their browsers. Whoever the provider
vouches for gets an account; one that is there already is theirs only if both sides have verified its address, else they log in and add the
provider in the settings. Its ID tokens are signed with RS256, PS256, ES256, EdDSA or a longer relative of these. How it goes is told in
[protocol.md](protocol.md#logging-in-elsewhere).

| setting | default | value | |
|---|---|---|---|
";

/// The page.
pub fn document() -> String {
    let mut page = OPENING.to_owned();
    for section in [
        Section::Server,
        Section::Cluster,
        Section::Access,
        Section::Webhooks,
        Section::Observing,
        Section::Rates,
        Section::Limits,
    ] {
        let heading = section.heading();
        let _ = write!(
            page,
            "\n## {heading}\n\n| setting | flag | default | value | |\n|---|---|---|---|---|\n"
        );
        for setting in SETTINGS.iter().filter(|setting| setting.section == section) {
            let default = setting.default();
            let default = if setting.otherwise.is_empty() {
                format!("`{default}`")
            } else {
                default
            };
            let value = if setting.unit.is_empty() {
                setting.shape()
            } else {
                setting.unit
            };
            let _ = writeln!(
                page,
                "| `{}` | `--{}` | {default} | {value} | {} |",
                setting.name,
                setting.flag(),
                setting.about
            );
        }
        if section == Section::Access {
            page.push_str(OF_PROVIDERS);
            page.extend(PROVIDER_SETTINGS.iter().map(of_provider));
        }
    }
    page
}

fn of_provider(setting: &ProviderSetting) -> String {
    let ProviderSetting {
        part,
        about,
        default,
        shape,
        ..
    } = setting;
    format!("| `{PREFIX}<ID>_{part}` | {default} | {shape} | {about} |\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_repository_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md");
        if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == document(),
            "run this test with UPDATE_DOCUMENTS=1 to write docs/settings.md anew"
        );
    }
}
