//! Who else may say who somebody is: any number of them, each by a few settings of its own, like
//! `CHATX_OIDC_GOOGLE_ISSUER`. What they are asked is [`crate::oidc`]'s to know.

use std::collections::BTreeMap;

use http::Uri;
use secrecy::SecretString;

use super::{Mistakes, Origin, value::Value};

/// An OpenID provider that people may log in by.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name in paths: what stands in the middle of its settings, in lower case.
    pub id: String,
    /// `…_ISSUER`: the url under which it says what it is, as its own documents have it.
    pub issuer: String,
    /// `…_CLIENT_ID`: what this server is to it.
    pub client_id: String,
    /// `…_CLIENT_SECRET`: how this server shows that. None: it is a public client.
    pub client_secret: Option<SecretString>,
    /// `…_NAME`: what people read on its button.
    pub name: String,
    /// `…_SCOPES`: what is asked of it.
    pub scopes: String,
    /// `…_TRUSTED_NETWORK`: whether it may be asked over plain http, and at private addresses that it names itself.
    pub trusted_network: bool,
}

/// One of the settings that each provider has.
pub struct ProviderSetting {
    /// What its name ends with.
    pub part: &'static str,
    /// What it decides.
    pub about: &'static str,
    /// Its default, in words.
    pub default: &'static str,
    /// What a value of it looks like.
    pub shape: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    read: fn(&mut Provider, &str) -> Result<(), String>,
}

/// What all of their names begin with.
pub const PREFIX: &str = "CHATX_OIDC_";
const SCOPES: &str = "openid profile email";

/// What each provider is told by, in the order in which it is described.
// A table reads by its rows.
#[rustfmt::skip]
pub static PROVIDER_SETTINGS: &[ProviderSetting] = &[
    ProviderSetting { part: "ISSUER", about: "its url, as `issuer` in its `/.well-known/openid-configuration`", default: "none: needed", shape: "text", secret: false,
        read: |provider, text| { text.trim_end_matches('/').clone_into(&mut provider.issuer); Ok(()) } },
    ProviderSetting { part: "CLIENT_ID", about: "what this server is registered there as, with `<public url>/v1/auth/oidc/<id>/callback` to come back to", default: "none: needed", shape: "text", secret: false,
        read: |provider, text| { provider.client_id = text.to_owned(); Ok(()) } },
    ProviderSetting { part: "CLIENT_SECRET", about: "the secret of that registration (or `…_CLIENT_SECRET_FILE`)", default: "none: a public client", shape: "text", secret: true,
        read: |provider, text| { provider.client_secret = Some(text.into()); Ok(()) } },
    ProviderSetting { part: "NAME", about: "what people read on its button", default: "the id", shape: "text", secret: false,
        read: |provider, text| { provider.name = button(text)?; Ok(()) } },
    ProviderSetting { part: "SCOPES", about: "what is asked of it; `openid` is among them", default: "`openid profile email`", shape: "words, by spaces", secret: false,
        read: |provider, text| { provider.scopes = scopes(text)?; Ok(()) } },
    ProviderSetting { part: "TRUSTED_NETWORK", about: "whether it may be asked over plain http, and name private addresses beside its own; without it only one on this machine may do without https", default: "`off`", shape: "on or off", secret: false,
        read: |provider, text| provider.trusted_network.read(text) },
];

/// The id and the part that a setting's name has, if it is one of a provider.
pub(super) fn parts(name: &str) -> Option<(String, &'static ProviderSetting)> {
    let rest = name.strip_prefix(PREFIX)?;
    PROVIDER_SETTINGS.iter().find_map(|setting| {
        let id = rest.strip_suffix(setting.part)?.strip_suffix('_')?;
        let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let is_plain = !id.is_empty() && id.len() <= 32 && id.chars().all(plain);
        is_plain.then(|| (id.to_ascii_lowercase(), setting))
    })
}

/// What a name that begins like a provider's was probably meant to be.
pub(super) fn nearest(name: &str) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?;
    let words: Vec<&str> = rest.split('_').collect();
    let ids = (1..=words.len()).map(|count| words[..count].join("_"));
    let names = ids.flat_map(|id| {
        let named = move |setting: &ProviderSetting| format!("{PREFIX}{id}_{}", setting.part);
        PROVIDER_SETTINGS.iter().map(named)
    });
    names.min_by_key(|known| strsim::damerau_levenshtein(known, name))
}

/// The providers that were given, by the names of their settings; what is wrong with them is added to `mistakes`.
pub(super) fn read(
    given: &BTreeMap<String, (String, Origin)>,
    mistakes: &mut Mistakes,
) -> Vec<Provider> {
    let mut providers: BTreeMap<String, Provider> = BTreeMap::new();
    for (name, (text, origin)) in given {
        let Some((id, setting)) = parts(name) else {
            continue;
        };
        let provider = providers
            .entry(id)
            .or_insert_with_key(|id| Provider::called(id));
        if let Err(reason) = (setting.read)(provider, text) {
            mistakes.add(format_args!("{name} ({origin}): `{text}` {reason}"));
        }
    }
    for provider in providers.values() {
        provider.check(mistakes);
    }
    providers.into_values().collect()
}

impl Provider {
    fn called(id: &str) -> Self {
        let mut name = id.replace('_', " ");
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        Self {
            id: id.to_owned(),
            issuer: String::new(),
            client_id: String::new(),
            client_secret: None,
            name,
            scopes: SCOPES.to_owned(),
            trusted_network: false,
        }
    }

    /// The setting of this provider that ends so.
    fn setting(&self, part: &str) -> String {
        format!("{PREFIX}{}_{part}", self.id.to_ascii_uppercase())
    }

    fn check(&self, mistakes: &mut Mistakes) {
        for (part, value) in [("ISSUER", &self.issuer), ("CLIENT_ID", &self.client_id)] {
            if value.is_empty() {
                let (name, id) = (self.setting(part), &self.id);
                mistakes.add(format_args!("{name}: needed by the provider `{id}`"));
            }
        }
        if self.issuer.is_empty() {
            return;
        }
        let url = self.issuer.parse::<Uri>().ok();
        // A word alone reads as the name of a host.
        let url = url.filter(|url| url.scheme().is_some() && url.query().is_none());
        let reason = match url {
            None => "is no url like https://id.example.com",
            Some(url) if !self.may_be_asked_at(&url) => {
                "must be https, or a provider on this machine, or of a trusted network"
            }
            Some(_) => return,
        };
        let (name, issuer) = (self.setting("ISSUER"), &self.issuer);
        mistakes.add(format_args!("{name}: `{issuer}` {reason}"));
    }

    /// Whether what is said at `url` can be believed to be the provider's own: over https, or without leaving the machine.
    pub fn may_be_asked_at(&self, url: &Uri) -> bool {
        match url.scheme_str() {
            Some("https") => true,
            Some("http") => self.trusted_network || url.host().is_some_and(is_this_machine),
            _ => false,
        }
    }
}

/// Whether a url with this host does not leave the machine.
fn is_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn button(text: &str) -> Result<String, String> {
    let name = text.trim();
    let fits = (1..=32).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    fits.then(|| name.to_owned())
        .ok_or_else(|| "has not 1 to 32 characters that can be read".to_owned())
}

fn scopes(text: &str) -> Result<String, String> {
    let words: Vec<&str> = text
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .collect();
    if words.contains(&"openid") {
        Ok(words.join(" "))
    } else {
        Err("has no `openid`, without which nobody says who somebody is".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(entries: &[(&str, &str)]) -> (Vec<Provider>, String) {
        let mut mistakes = Mistakes::default();
        let entries = entries.iter().map(|(name, value)| {
            (
                (*name).to_owned(),
                ((*value).to_owned(), Origin::Environment),
            )
        });
        let providers = read(&entries.collect(), &mut mistakes);
        (providers, mistakes.to_string())
    }

    #[test]
    fn a_provider_is_told_by_its_settings() {
        let (providers, mistakes) = given(&[
            ("CHATX_OIDC_MY_COMPANY_ISSUER", "https://id.example.com"),
            ("CHATX_OIDC_MY_COMPANY_CLIENT_ID", "chat"),
            ("CHATX_OIDC_LOCAL_ISSUER", "http://127.0.0.1:9400"),
            ("CHATX_OIDC_LOCAL_CLIENT_ID", "chat"),
            ("CHATX_OIDC_LOCAL_NAME", "The mock"),
        ]);
        assert_eq!(mistakes, "");
        let told: Vec<_> = providers
            .iter()
            .map(|provider| (provider.id.as_str(), provider.name.as_str()))
            .collect();
        assert_eq!(told, [("local", "The mock"), ("my_company", "My company")]);
    }

    #[test]
    fn every_mistake_of_a_provider_is_named() {
        let (_, mistakes) = given(&[
            ("CHATX_OIDC_A_ISSUER", "http://id.example.com"),
            ("CHATX_OIDC_A_SCOPES", "profile"),
            ("CHATX_OIDC_A_TRUSTED_NETWORK", "perhaps"),
            ("CHATX_OIDC_B_CLIENT_SECRET", "hunter2"),
            ("CHATX_OIDC_C_ISSUER", "id"),
            ("CHATX_OIDC_C_CLIENT_ID", "chat"),
        ]);
        for expected in [
            "CHATX_OIDC_A_ISSUER: `http://id.example.com` must be https",
            "CHATX_OIDC_A_CLIENT_ID: needed by the provider `a`",
            "CHATX_OIDC_A_SCOPES (environment): `profile` has no `openid`",
            "CHATX_OIDC_A_TRUSTED_NETWORK (environment): `perhaps` is neither",
            "CHATX_OIDC_B_ISSUER: needed by the provider `b`",
            "CHATX_OIDC_B_CLIENT_ID: needed",
            "CHATX_OIDC_C_ISSUER: `id` is no url",
        ] {
            assert!(mistakes.contains(expected), "{expected}\n--\n{mistakes}");
        }
        assert_eq!(mistakes.lines().count(), 7, "{mistakes}");
        assert!(!mistakes.contains("hunter2"), "{mistakes}");
    }

    #[test]
    fn a_slip_is_answered_with_what_was_meant() {
        let meant = nearest("CHATX_OIDC_MY_COMPANY_ISUER");
        assert_eq!(meant.as_deref(), Some("CHATX_OIDC_MY_COMPANY_ISSUER"));
        assert!(parts("CHATX_OIDC_ISSUER").is_none());
    }
}
