//! Whom the messages of a batch call. The names are read from the texts here; whose they are, and who of
//! those is a member, the database says.

use protocol::mentions::{self, Mention};
use sqlx::types::Json;

use super::{Append, Appended};

/// The calls of a batch: entries, counted from 1 as databases do, each with one of the names that it calls.
#[derive(Default)]
pub(super) struct Calls {
    pub(super) by: Vec<i64>,
    pub(super) names: Vec<String>,
}

/// What the database says of each entry that calls somebody: its number, and whom, if it has any of them.
pub(super) type Called = Json<Vec<(usize, Option<Vec<Mention>>)>>;

impl Calls {
    /// Nothing of most batches.
    pub(super) fn of(entries: &[&Append]) -> Option<Self> {
        let mut calls = Self {
            by: Vec::new(),
            names: Vec::new(),
        };
        for (number, entry) in (1..).zip(entries) {
            for name in mentions::names(entry.body.as_str()) {
                calls.by.push(number);
                calls.names.push(name);
            }
        }
        (!calls.by.is_empty()).then_some(calls)
    }
}

/// Adds to each answer whom its message calls.
pub(super) fn note(called: Called, answers: &mut [Appended]) {
    for (number, mentions) in called.0 {
        if let Some(Appended::Stored(place)) = answers.get_mut(number - 1) {
            place.mentions = mentions.unwrap_or_default();
        }
    }
}
