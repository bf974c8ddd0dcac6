//! `chatx config`: every setting with its value and where that comes from. Secrets are never shown.

use std::io::{self, Write};

use shared::settings::{Loaded, SETTINGS, Setting};

/// Prints one line a setting.
///
/// # Errors
/// When nobody reads.
pub fn print(loaded: &Loaded, out: &mut impl Write) -> io::Result<()> {
    let shown: Vec<_> = SETTINGS
        .iter()
        .map(|setting| (setting, value(loaded, setting)))
        .collect();
    let name_width = SETTINGS
        .iter()
        .map(|setting| setting.name.len())
        .max()
        .unwrap_or(0);
    let value_width = shown
        .iter()
        .map(|(_, value)| value.chars().count())
        .max()
        .unwrap_or(0)
        .min(40);
    for (setting, value) in shown {
        let origin = loaded
            .origin(setting)
            .map_or_else(|| "default".to_owned(), ToString::to_string);
        writeln!(
            out,
            "{:name_width$}  {value:value_width$}  {origin}",
            setting.name
        )?;
    }
    for row in &loaded.of_providers {
        let value = row.shown.as_deref().unwrap_or("(hidden)");
        let (name, origin) = (&row.name, &row.origin);
        writeln!(out, "{name:name_width$}  {value:value_width$}  {origin}")?;
    }
    Ok(())
}

fn value(loaded: &Loaded, setting: &Setting) -> String {
    match loaded.origin(setting) {
        Some(_) if setting.secret => "(hidden)".to_owned(),
        Some(_) => setting.show(&loaded.settings),
        None if setting.otherwise.is_empty() => setting.default(),
        None => format!("({})", setting.default().replace('`', "")),
    }
}

#[cfg(test)]
mod tests {
    use shared::settings::{Sources, load};

    use super::*;

    #[test]
    fn secrets_are_hidden_and_origins_told() {
        let environment = [
            ("DATABASE_URL", "postgres://u:hunter2@h/d"),
            ("CHATX_TICKET_S", "7"),
        ];
        let sources = Sources {
            flags: Vec::new(),
            environment: environment
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            read_file: &|_| Err(io::ErrorKind::NotFound.into()),
        };
        let mut out = Vec::new();
        print(
            &load(&sources).unwrap_or_else(|mistakes| panic!("{mistakes}")),
            &mut out,
        )
        .unwrap();
        let out = String::from_utf8(out).unwrap();
        let line = |name: &str| {
            out.lines()
                .find(|line| line.starts_with(name))
                .unwrap()
                .to_owned()
        };
        assert!(!out.contains("hunter2"), "{out}");
        assert!(line("DATABASE_URL").ends_with("environment"), "{out}");
        assert_eq!(
            line("CHATX_TICKET_S")
                .split_whitespace()
                .collect::<Vec<_>>(),
            ["CHATX_TICKET_S", "7", "environment"]
        );
        assert!(line("CHATX_LISTEN").ends_with("default"), "{out}");
    }
}
