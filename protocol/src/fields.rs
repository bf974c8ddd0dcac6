//! Turning what a client sent into types that cannot be wrong, naming every mistake at once.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::Limits;

/// What is wrong with one field; the words are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// It must be there.
    Required,
    /// It has another JSON type than the contract says.
    WrongType,
    /// There is no field of this name.
    Unknown,
    /// It has fewer characters than it must.
    TooShort,
    /// It has more characters than it may.
    TooLong,
    /// It is not of the form that is asked for.
    Invalid,
    /// It has characters that do not show, or that change how others show.
    ControlCharacters,
    /// The name is kept for the server.
    Reserved,
    /// It is among the passwords that are tried first.
    TooCommon,
    /// It is a number outside of the allowed range.
    OutOfRange,
    /// It does not go together with another field.
    Conflicting,
}

/// Which fields are wrong, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Fields(BTreeMap<Cow<'static, str>, Vec<Violation>>);

impl Fields {
    /// One wrong field.
    pub fn one(name: impl Into<Cow<'static, str>>, violation: Violation) -> Self {
        let mut fields = Self::default();
        fields.add(name, violation);
        fields
    }

    /// Notes that `name` is wrong.
    pub fn add(&mut self, name: impl Into<Cow<'static, str>>, violation: Violation) {
        self.0.entry(name.into()).or_default().push(violation);
    }

    /// Notes what is wrong in `others` too.
    pub fn merge(&mut self, others: Self) {
        for (name, violations) in others.0 {
            self.0.entry(name).or_default().extend(violations);
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the wrong fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(Cow::as_ref)
    }

    /// What is wrong with `name`.
    pub fn of(&self, name: &str) -> &[Violation] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Reads a field that must be there. `None` after noting what is wrong.
    pub fn required<R, T>(
        &mut self,
        name: &'static str,
        raw: Option<R>,
        parse: impl FnOnce(R) -> Result<T, Violation>,
    ) -> Option<T> {
        if raw.is_none() {
            self.add(name, Violation::Required);
        }
        self.optional(name, raw, parse)
    }

    /// Reads a field that may be left out. `None` if it was, or after noting what is wrong.
    pub fn optional<R, T>(
        &mut self,
        name: &'static str,
        raw: Option<R>,
        parse: impl FnOnce(R) -> Result<T, Violation>,
    ) -> Option<T> {
        match parse(raw?) {
            Ok(value) => Some(value),
            Err(violation) => {
                self.add(name, violation);
                None
            }
        }
    }
}

/// A type that is read from a raw form and cannot be wrong afterwards.
pub trait Parse: Sized {
    /// What serde reads: every field optional, every text unchecked.
    type Raw: DeserializeOwned;

    /// Checks every field.
    ///
    /// # Errors
    /// All the fields that are wrong.
    fn parse(raw: Self::Raw, limits: &Limits) -> Result<Self, Fields>;
}

/// Why bytes did not become a `T`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// They are not JSON, or not an object.
    Malformed,
    /// They are, but some fields are wrong.
    Fields(Fields),
}

/// Reads JSON and checks it; `unknown` says what fields that `T` does not have mean.
///
/// # Errors
/// [`Invalid::Malformed`] for what is no JSON object, else every wrong field.
pub fn read<T: Parse>(json: &[u8], unknown: Unknown, limits: &Limits) -> Result<T, Invalid> {
    let raw = read_raw(json, unknown)?;
    T::parse(raw, limits).map_err(Invalid::Fields)
}

/// What a field that the type does not have means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It is passed over, so that a newer client can talk to an older server (sockets).
    Ignored,
    /// It is a mistake, and said so (HTTP).
    Refused,
}

fn read_raw<R: DeserializeOwned>(json: &[u8], unknown: Unknown) -> Result<R, Invalid> {
    if json.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Invalid::Malformed);
    }
    let mut unknown_fields = Fields::default();
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let read = serde_ignored::deserialize(tracked, |path| {
        unknown_fields.add(path.to_string(), Violation::Unknown);
    });
    let raw = match read {
        Ok(raw) => raw,
        Err(error) if error.is_data() => {
            let path = track.path().to_string();
            return Err(Invalid::Fields(Fields::one(path, Violation::WrongType)));
        }
        Err(_) => return Err(Invalid::Malformed),
    };
    deserializer.end().map_err(|_| Invalid::Malformed)?;
    match unknown {
        Unknown::Refused if !unknown_fields.is_empty() => Err(Invalid::Fields(unknown_fields)),
        Unknown::Refused | Unknown::Ignored => Ok(raw),
    }
}

/// Lets `null` and "left out" be told apart: `None` when left out, `Some(None)` for `null`.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// Reads a query string as if it were the JSON object of its pairs.
///
/// # Errors
/// Every wrong field; a name that is not known or comes twice is wrong.
pub fn read_query<T: Parse>(pairs: &[(String, String)], limits: &Limits) -> Result<T, Fields> {
    let mut object = serde_json::Map::new();
    for (name, value) in pairs {
        if object.insert(name.clone(), value.clone().into()).is_some() {
            return Err(Fields::one(name.clone(), Violation::Conflicting));
        }
    }
    let json = serde_json::Value::Object(object).to_string();
    read(json.as_bytes(), Unknown::Refused, limits).map_err(|invalid| match invalid {
        Invalid::Fields(fields) => fields,
        Invalid::Malformed => Fields::one("query", Violation::Invalid),
    })
}

/// A whole number as JSON writes it, or as a query string does.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Whole {
    /// `50`
    Number(u64),
    /// `"50"`
    Text(#[serde(deserialize_with = "number_in_text")] u64),
}

impl Whole {
    /// The number, if it lies within `range`.
    pub(crate) fn within(self, range: std::ops::RangeInclusive<u64>) -> Result<u64, Violation> {
        let (Self::Number(number) | Self::Text(number)) = self;
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(Violation::OutOfRange)
        }
    }

    /// The number as a place in a log; every number is one.
    pub(crate) fn seq(self) -> Result<crate::Seq, Violation> {
        self.within(0..=u64::MAX).map(crate::Seq)
    }
}

fn number_in_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

/// Reads an id from its text.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a parser takes the raw field it is given"
)]
pub(crate) fn id<K>(raw: String) -> Result<crate::ids::Id<K>, Violation> {
    raw.parse().map_err(|_| Violation::Invalid)
}

/// Reads a moment from its text.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a parser takes the raw field it is given"
)]
pub(crate) fn moment(raw: String) -> Result<crate::Timestamp, Violation> {
    raw.parse().map_err(|_| Violation::Invalid)
}

/// Reads one of the words of an enum.
pub(crate) fn word<T: DeserializeOwned>(raw: String) -> Result<T, Violation> {
    use serde::de::{IntoDeserializer, value::Error};
    T::deserialize(IntoDeserializer::<Error>::into_deserializer(raw))
        .map_err(|_| Violation::Invalid)
}
