//! From flags, environment and file to checked [`Settings`]: a pure function of its [`Sources`],
//! which names every mistake at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::Path,
};

use super::{SETTINGS, Setting, Settings, providers};

/// Names that belong to us although they have no `CHATX_` in front.
const FAMILIAR: [&str; 3] = ["DATABASE_URL", "REDIS_URL", "TRUSTED_PROXIES"];

/// Belongs to the tests, which run in the same environments.
const OF_TESTS: &str = "CHATX_TEST_";

/// Where settings come from, weakest last: a flag wins over the environment, which wins over the file.
pub struct Sources<'a> {
    /// Names as in the environment, and values.
    pub flags: Vec<(String, String)>,
    /// All variables; those of others are passed over.
    pub environment: Vec<(String, String)>,
    /// Reads a file that a setting names.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// What was loaded.
pub struct Loaded {
    /// The settings; those left out have their defaults.
    pub settings: Settings,
    /// The settings of providers that were given, by their names.
    pub of_providers: Vec<OfProvider>,
    origins: BTreeMap<&'static str, Origin>,
}

/// One setting of a provider, as it was given.
pub struct OfProvider {
    /// Its name.
    pub name: String,
    /// Its value; none if that is never shown.
    pub shown: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
}

impl Loaded {
    /// Where the value of a setting comes from; nothing for a default.
    pub fn origin(&self, setting: &Setting) -> Option<&Origin> {
        self.origins.get(setting.name)
    }
}

/// Where one value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// The environment.
    Environment,
    /// The TOML file.
    File,
    /// A file of its own, which this name points to.
    FileNamedBy(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment => f.write_str("environment"),
            Self::File => f.write_str("file"),
            Self::FileNamedBy(name) => write!(f, "file named by {name}"),
        }
    }
}

/// Everything that is wrong with the settings, one line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes(BTreeSet<String>);

impl Mistakes {
    /// Adds one.
    pub fn add(&mut self, line: impl fmt::Display) {
        self.0.insert(line.to_string());
    }

    /// `value`, unless there are mistakes.
    ///
    /// # Errors
    /// All of them.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(String::as_str).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Mistakes {}

/// Reads every source and checks every value.
///
/// # Errors
/// All mistakes: unknown names, values that cannot be read, values that do not go together.
pub fn load(sources: &Sources<'_>) -> Result<Loaded, Mistakes> {
    let mut loading = Loading {
        sources,
        given: BTreeMap::new(),
        mistakes: Mistakes::default(),
    };
    loading.take_file();
    loading.take(&sources.environment, &Origin::Environment);
    loading.take(&sources.flags, &Origin::Flag);
    loading.finish()
}

struct Loading<'a> {
    sources: &'a Sources<'a>,
    given: BTreeMap<String, (String, Origin)>,
    mistakes: Mistakes,
}

impl Loading<'_> {
    /// The settings of the TOML file, if flags or environment name one.
    fn take_file(&mut self) {
        let named = |source: &[(String, String)]| {
            source
                .iter()
                .find(|(name, value)| name == "CHATX_CONFIG" && !value.is_empty())
                .cloned()
        };
        let Some((_, path)) =
            named(&self.sources.flags).or_else(|| named(&self.sources.environment))
        else {
            return;
        };
        let text = match (self.sources.read_file)(Path::new(&path)) {
            Ok(text) => text,
            Err(error) => {
                return self
                    .mistakes
                    .add(format_args!("CHATX_CONFIG: cannot read {path}: {error}"));
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => {
                let mut entries = Vec::new();
                self.flatten("", table, &mut entries);
                self.take(&entries, &Origin::File);
            }
            Err(error) => self
                .mistakes
                .add(format_args!("{path}: {}", error.to_string().trim())),
        }
    }

    /// `[limit] body_max_chars = 10` is `CHATX_LIMIT_BODY_MAX_CHARS`.
    fn flatten(&mut self, prefix: &str, table: toml::Table, entries: &mut Vec<(String, String)>) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.to_ascii_uppercase());
            let value = match value {
                toml::Value::Table(table) => {
                    self.flatten(&format!("{name}_"), table, entries);
                    continue;
                }
                toml::Value::String(text) => text,
                toml::Value::Array(values) => {
                    let texts: Vec<_> = values
                        .iter()
                        .map(|value| value.as_str().unwrap_or_default())
                        .collect();
                    texts.join(",")
                }
                other => other.to_string(),
            };
            let familiar = FAMILIAR
                .iter()
                .any(|known| name.strip_suffix("_FILE").unwrap_or(&name) == *known);
            entries.push((
                if familiar {
                    name
                } else {
                    format!("CHATX_{name}")
                },
                value,
            ));
        }
    }

    /// What one source says, over what weaker ones said.
    fn take(&mut self, source: &[(String, String)], origin: &Origin) {
        let mut seen = BTreeSet::new();
        for (name, value) in source {
            if value.is_empty() {
                continue;
            }
            let Some((name, value, origin)) = self.understand(name, value, origin) else {
                continue;
            };
            if !seen.insert(name.clone()) {
                self.mistakes
                    .add(format_args!("{name}: set either {name} or {name}_FILE"));
            }
            self.given.insert(name, (value, origin));
        }
    }

    /// The name of the setting that `name` means, and the value that it has by that.
    fn understand(
        &mut self,
        name: &str,
        value: &str,
        origin: &Origin,
    ) -> Option<(String, String, Origin)> {
        if is_known(name) {
            return Some((name.to_owned(), value.to_owned(), origin.clone()));
        }
        if let Some(setting) = name.strip_suffix("_FILE").filter(|name| is_known(name)) {
            match (self.sources.read_file)(Path::new(value)) {
                Ok(text) => {
                    let text = text.trim_end_matches(['\r', '\n']).to_owned();
                    let origin = Origin::FileNamedBy(name.to_owned());
                    return Some((setting.to_owned(), text, origin));
                }
                Err(error) => self
                    .mistakes
                    .add(format_args!("{name}: cannot read {value}: {error}")),
            }
        } else if name.starts_with("CHATX_") && !name.starts_with(OF_TESTS) {
            #[cfg(feature = "broken-rules")]
            if name == crate::broken_rule::SETTING {
                if let Err(reason) = value.parse::<crate::broken_rule::BrokenRule>() {
                    self.mistakes.add(format_args!("{name}: it {reason}"));
                }
                return None;
            }
            self.mistakes.add(format_args!(
                "{name}: no such setting; did you mean {}?",
                nearest(name)
            ));
        }
        None
    }

    fn finish(mut self) -> Result<Loaded, Mistakes> {
        let mut settings = Settings::default();
        let mut origins = BTreeMap::new();
        for setting in SETTINGS {
            let Some((text, origin)) = self.given.remove(setting.name) else {
                continue;
            };
            if let Err(reason) = setting.read(&mut settings, &text) {
                let shown = if setting.secret {
                    "its value".to_owned()
                } else {
                    format!("`{text}`")
                };
                self.mistakes.add(format_args!(
                    "{} ({origin}): {shown} {reason}",
                    setting.name
                ));
            }
            origins.insert(setting.name, origin);
        }
        // What is left is of providers.
        settings.providers = providers::read(&self.given, &mut self.mistakes);
        settings.check(&mut self.mistakes);
        let of_providers = self.given.into_iter().map(of_provider).collect();
        self.mistakes.or(Loaded {
            settings,
            of_providers,
            origins,
        })
    }
}

fn of_provider((name, (text, origin)): (String, (String, Origin))) -> OfProvider {
    let is_secret = providers::parts(&name).is_none_or(|(_, setting)| setting.secret);
    OfProvider {
        shown: (!is_secret).then_some(text),
        name,
        origin,
    }
}

fn is_known(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name) || providers::parts(name).is_some()
}

fn nearest(name: &str) -> String {
    let known = SETTINGS.iter().map(|setting| setting.name.to_owned());
    known
        .chain(providers::nearest(name))
        .min_by_key(|known| strsim::damerau_levenshtein(known, name))
        .expect("there are settings")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::ExposeSecret as _;

    use super::*;

    const FILE: &str = r#"
        listen = "127.0.0.1:1"
        ticket_s = 11
        access_token_s = 12
        origins = ["https://a.example", "https://b.example"]
        database_url_file = "url"
        [limit]
        body_max_chars = 13
        [rate]
        login = "7/250ms"
        [oidc.example]
        issuer = "https://id.example.com"
        client_id = "chat"
        client_secret_file = "secret"
        scopes = ["openid", "email"]
    "#;

    fn read_file(path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("file.toml") => Ok(FILE.to_owned()),
            Some("url") => Ok("postgres://a:b@c/d\n".to_owned()),
            Some("secret") => Ok("hunter2\n".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn pairs(entries: &[(&str, &str)]) -> Vec<(String, String)> {
        entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn check(flags: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Loaded, String> {
        let sources = Sources {
            flags: pairs(flags),
            environment: pairs(environment),
            read_file: &read_file,
        };
        load(&sources).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn every_default_reads_as_itself() {
        for setting in SETTINGS {
            let shown = setting.show(&Settings::default());
            if !shown.is_empty() {
                let mut settings = Settings::default();
                setting.read(&mut settings, &shown).unwrap();
                assert_eq!(setting.show(&settings), shown, "{}", setting.name);
            }
        }
    }

    #[test]
    fn flags_win_over_environment_over_file_over_default() {
        let loaded = check(
            &[("CHATX_LISTEN", "127.0.0.1:3")],
            &[
                ("CHATX_CONFIG", "file.toml"),
                ("CHATX_LISTEN", "127.0.0.1:2"),
                ("CHATX_TICKET_S", "22"),
                ("CHATX_OIDC_EXAMPLE_CLIENT_ID", "of the environment"),
                ("PATH", "/"),
            ],
        );
        let loaded = loaded.unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let settings = &loaded.settings;
        assert_eq!(settings.listen.port(), 3);
        assert_eq!(settings.ticket, Duration::from_secs(22));
        assert_eq!(settings.access_token, Duration::from_secs(12));
        assert_eq!(settings.refresh_token, Settings::default().refresh_token);
        assert_eq!(settings.limits.body_max_chars, 13);
        assert_eq!(
            (settings.rates.login.burst, settings.rates.login.every),
            (7, Duration::from_millis(250))
        );
        assert_eq!(settings.origins, ["https://a.example", "https://b.example"]);
        assert_eq!(settings.database_url.expose_secret(), "postgres://a:b@c/d");
        let origin = |name| {
            let setting = SETTINGS.iter().find(|setting| setting.name == name);
            loaded.origin(setting.unwrap()).map(ToString::to_string)
        };
        assert_eq!(origin("CHATX_LISTEN").as_deref(), Some("flag"));
        assert_eq!(origin("CHATX_TICKET_S").as_deref(), Some("environment"));
        assert_eq!(origin("CHATX_ACCESS_TOKEN_S").as_deref(), Some("file"));
        assert_eq!(
            origin("DATABASE_URL").as_deref(),
            Some("file named by DATABASE_URL_FILE")
        );
        assert_eq!(origin("CHATX_REFRESH_TOKEN_S"), None);
        let [provider] = settings.providers.as_slice() else {
            panic!("{:?}", settings.providers);
        };
        assert_eq!(
            (provider.id.as_str(), provider.name.as_str()),
            ("example", "Example")
        );
        assert_eq!(provider.client_id, "of the environment");
        assert_eq!(provider.scopes, "openid email");
        let secret = provider.client_secret.as_ref().unwrap();
        assert_eq!(secret.expose_secret(), "hunter2");
        let shown = |row: &OfProvider| format!("{} {:?} {}", row.name, row.shown, row.origin);
        let shown: Vec<_> = loaded.of_providers.iter().map(shown).collect();
        assert_eq!(shown.len(), 4);
        assert_eq!(
            shown[..2],
            [
                r#"CHATX_OIDC_EXAMPLE_CLIENT_ID Some("of the environment") environment"#,
                "CHATX_OIDC_EXAMPLE_CLIENT_SECRET None file named by CHATX_OIDC_EXAMPLE_CLIENT_SECRET_FILE"
            ]
        );
    }

    #[test]
    fn every_mistake_is_named_at_once_and_no_secret_with_it() {
        let mistakes = check(
            &[("CHATX_TICKET_S", "0")],
            &[
                ("CHATX_LISTEM", "127.0.0.1:2"),
                ("CHATX_LISTEN", "here"),
                ("DATABASE_URL", "mysql://hunter2"),
                ("CHATX_CLUSTER_SECRET_FILE", "nowhere"),
                ("CHATX_RATE_SEND", "fast"),
                ("TRUSTED_PROXIES", "10.0.0.0/8,10.0.0.0/33"),
                ("CHATX_ORIGINS", "https://a.example/,b"),
                ("CHATX_LIMIT_USERNAME_MIN_CHARS", "40"),
                ("CHATX_OIDC_EXAMPLE_ISUER", "https://id.example.com"),
                ("CHATX_OIDC_EXAMPLE_CLIENT_ID", "chat"),
                ("CHATX_TEST_POSTGRES_URL", "of somebody else"),
            ],
        );
        let mistakes = mistakes.err().unwrap();
        for expected in [
            "CHATX_LISTEM: no such setting; did you mean CHATX_LISTEN?",
            "CHATX_OIDC_EXAMPLE_ISUER: no such setting; did you mean CHATX_OIDC_EXAMPLE_ISSUER?",
            "CHATX_OIDC_EXAMPLE_ISSUER: needed by the provider `example`",
            "CHATX_LISTEN (environment): `here` is no address and port",
            "DATABASE_URL (environment): its value begins with neither",
            "CHATX_CLUSTER_SECRET_FILE: cannot read nowhere",
            "CHATX_RATE_SEND (environment): `fast` is no rate",
            "10.0.0.0/33",
            "`https://a.example/`, which is no origin",
            "CHATX_TICKET_S (flag): `0` must be at least 1",
            "CHATX_LIMIT_USERNAME_MIN_CHARS: 40 is above CHATX_LIMIT_USERNAME_MAX_CHARS",
        ] {
            assert!(mistakes.contains(expected), "{expected}\n--\n{mistakes}");
        }
        assert!(!mistakes.contains("hunter2"), "{mistakes}");
        assert_eq!(mistakes.lines().count(), 11, "{mistakes}");
    }

    #[test]
    fn an_empty_value_is_none() {
        let loaded = check(&[], &[("REDIS_URL", ""), ("CHATX_LISTEN", "")]);
        let loaded = loaded.unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert!(loaded.settings.redis_url.is_none());
    }
}
