//! Where a page of a list ended, as an opaque word that the client brings back.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use protocol::{Fields, Violation};
use serde::{Deserialize, Deserializer, Serialize, de, de::DeserializeOwned};

use super::Result;
use crate::Refusal;

/// Reads what [`write`] wrote.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    let json = URL_SAFE_NO_PAD.decode(text).ok();
    let place = json.and_then(|json| serde_json::from_slice(&json).ok());
    place.ok_or_else(|| Refusal::from(Fields::one("cursor", Violation::Invalid)).into())
}

/// Reads a name in a place. A client may have written it: no name of ours has a control character, and
/// PostgreSQL takes no text with a zero in it.
pub(super) fn name<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name.chars().any(char::is_control) {
        return Err(de::Error::custom("a control character in a name"));
    }
    Ok(name)
}

/// Cuts `rows`, of which one more was asked for than a page holds, to a page, and says where it ended
/// if there are more.
pub(super) fn page<R, T: Serialize>(
    rows: &mut Vec<R>,
    limit: u32,
    place: impl Fn(&R) -> T,
) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if rows.len() <= limit {
        return None;
    }
    rows.truncate(limit);
    rows.last().map(|row| write(&place(row)))
}

/// Writes what [`read`] reads.
pub(super) fn write<T: Serialize>(place: &T) -> String {
    let json = serde_json::to_vec(place).expect("numbers, ids and text are always JSON");
    URL_SAFE_NO_PAD.encode(json)
}
