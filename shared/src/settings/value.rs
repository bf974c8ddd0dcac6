//! How the value of a setting is read from text and shown again. Where the text comes from is
//! decided by [`super::load`].

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};

use super::{LogFormat, Network, Rate};

/// What can stand behind a setting's name.
pub(super) trait Value {
    /// Takes the value that `text` means, or says what it should have been.
    fn read(&mut self, text: &str) -> Result<(), String>;

    /// What reads as this value; empty for none.
    fn show(&self) -> String;

    /// What such a value looks like, for people.
    fn shape(&self) -> &'static str;
}

impl Value for String {
    fn read(&mut self, text: &str) -> Result<(), String> {
        text.clone_into(self);
        Ok(())
    }

    fn show(&self) -> String {
        self.clone()
    }

    fn shape(&self) -> &'static str {
        "text"
    }
}

impl Value for PathBuf {
    fn read(&mut self, text: &str) -> Result<(), String> {
        *self = text.into();
        Ok(())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }

    fn shape(&self) -> &'static str {
        "path"
    }
}

impl Value for SecretString {
    fn read(&mut self, text: &str) -> Result<(), String> {
        *self = text.into();
        Ok(())
    }

    fn show(&self) -> String {
        self.expose_secret().to_owned()
    }

    fn shape(&self) -> &'static str {
        "text"
    }
}

impl Value for SocketAddr {
    fn read(&mut self, text: &str) -> Result<(), String> {
        *self = text
            .parse()
            .map_err(|_| "is no address and port, like 127.0.0.1:8080".to_owned())?;
        Ok(())
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn shape(&self) -> &'static str {
        "address:port"
    }
}

impl Value for bool {
    fn read(&mut self, text: &str) -> Result<(), String> {
        *self = match text.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => true,
            "off" | "false" | "no" | "0" => false,
            _ => return Err("is neither `on` nor `off`".to_owned()),
        };
        Ok(())
    }

    fn show(&self) -> String {
        if *self { "on" } else { "off" }.to_owned()
    }

    fn shape(&self) -> &'static str {
        "on or off"
    }
}

impl Value for LogFormat {
    fn read(&mut self, text: &str) -> Result<(), String> {
        *self = match text {
            "auto" => Self::Auto,
            "text" => Self::Text,
            "json" => Self::Json,
            _ => return Err("is none of `auto`, `text` and `json`".to_owned()),
        };
        Ok(())
    }

    fn show(&self) -> String {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        }
        .to_owned()
    }

    fn shape(&self) -> &'static str {
        "auto, text or json"
    }
}

/// A number of things, of whichever width.
trait WholeNumber: FromStr + Display {}

impl WholeNumber for usize {}
impl WholeNumber for u32 {}
impl WholeNumber for u64 {}

impl<N: WholeNumber> Value for N {
    fn read(&mut self, text: &str) -> Result<(), String> {
        *self = whole_number(text)?;
        Ok(())
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn shape(&self) -> &'static str {
        "whole number"
    }
}

/// Whole seconds; the names of such settings end in `_S`.
impl Value for Duration {
    fn read(&mut self, text: &str) -> Result<(), String> {
        *self = Self::from_secs(whole_number(text)?);
        Ok(())
    }

    fn show(&self) -> String {
        self.as_secs().to_string()
    }

    fn shape(&self) -> &'static str {
        "whole number"
    }
}

impl Value for Rate {
    fn read(&mut self, text: &str) -> Result<(), String> {
        *self = rate(text).ok_or(
            "is no rate like 5/300s: so many at once, then one every so often (ms, s, min, h)",
        )?;
        Ok(())
    }

    fn show(&self) -> String {
        let every_ms = self.every.as_millis();
        if every_ms.is_multiple_of(1_000) {
            format!("{}/{}s", self.burst, every_ms / 1_000)
        } else {
            format!("{}/{every_ms}ms", self.burst)
        }
    }

    fn shape(&self) -> &'static str {
        "at once/one every"
    }
}

impl Value for Vec<String> {
    fn read(&mut self, text: &str) -> Result<(), String> {
        *self = list(text).map(str::to_owned).collect();
        Ok(())
    }

    fn show(&self) -> String {
        self.join(",")
    }

    fn shape(&self) -> &'static str {
        "list, by commas"
    }
}

impl Value for Vec<Network> {
    fn read(&mut self, text: &str) -> Result<(), String> {
        *self = list(text)
            .map(|entry| {
                network(entry).ok_or_else(|| {
                    format!("has `{entry}`, which is no range of addresses like 10.0.0.0/8")
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    fn show(&self) -> String {
        let entries: Vec<_> = self
            .iter()
            .map(|network| format!("{}/{}", network.address, network.prefix_bits))
            .collect();
        entries.join(",")
    }

    fn shape(&self) -> &'static str {
        "list, by commas"
    }
}

impl<V: Value + Blank> Value for Option<V> {
    fn read(&mut self, text: &str) -> Result<(), String> {
        self.get_or_insert_with(V::blank).read(text)
    }

    fn show(&self) -> String {
        self.as_ref().map(Value::show).unwrap_or_default()
    }

    fn shape(&self) -> &'static str {
        V::blank().shape()
    }
}

/// What is overwritten when a value that may be missing is given.
pub(super) trait Blank {
    fn blank() -> Self;
}

impl Blank for String {
    fn blank() -> Self {
        Self::new()
    }
}

impl Blank for PathBuf {
    fn blank() -> Self {
        Self::new()
    }
}

impl Blank for SecretString {
    fn blank() -> Self {
        "".into()
    }
}

impl Blank for SocketAddr {
    fn blank() -> Self {
        ([127, 0, 0, 1], 0).into()
    }
}

fn whole_number<N: FromStr>(text: &str) -> Result<N, String> {
    text.replace('_', "")
        .parse()
        .map_err(|_| "is no whole number, or too large".to_owned())
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

fn rate(text: &str) -> Option<Rate> {
    let (burst, every) = text.split_once('/')?;
    let burst = burst.trim().parse().ok().filter(|burst| *burst > 0)?;
    let every = every.trim();
    let digits = every.len() - every.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, unit) = every.split_at(digits);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let every_ms = count
        .parse::<u64>()
        .ok()?
        .checked_mul(unit_ms)
        .filter(|ms| *ms > 0)?;
    Some(Rate {
        burst,
        every: Duration::from_millis(every_ms),
    })
}

fn network(text: &str) -> Option<Network> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let widest = if address.is_ipv4() { 32 } else { 128 };
    let prefix_bits = match prefix {
        Some(prefix) => prefix.parse().ok().filter(|bits| *bits <= widest)?,
        None => widest,
    };
    Some(Network {
        address,
        prefix_bits,
    })
}
