//! Conversations of named people, and whom one keeps out of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Fields, Limits, Parse, Timestamp, UserId, Violation, accounts::UserSummary, fields::id,
};

/// Most people in one conversation.
pub const MAX_PEOPLE: usize = 10;

/// `POST /v1/dms`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct DirectBody {
    /// The others, 1 to 9 of them.
    #[schema(required, nullable = false, value_type = Vec<UserId>, min_items = 1, max_items = 10)]
    pub user_ids: Option<Vec<String>>,
}

/// A checked wish to talk to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDirect {
    /// Whom, each once. The caller may be among them.
    pub people: BTreeSet<UserId>,
}

impl Parse for OpenDirect {
    type Raw = DirectBody;

    fn parse(raw: DirectBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let people = fields.required("user_ids", raw.user_ids, |raw| {
            let people = raw
                .into_iter()
                .map(id)
                .collect::<Result<BTreeSet<UserId>, _>>()?;
            match people.len() {
                0 => Err(Violation::TooShort),
                1..=MAX_PEOPLE => Ok(people),
                _ => Err(Violation::TooLong),
            }
        });
        people.map(|people| Self { people }).ok_or(fields)
    }
}

/// Somebody whom the caller blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Block {
    /// Who.
    pub user: UserSummary,
    /// Since when.
    pub at: Timestamp,
}

/// Whom the caller blocks, the latest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BlockList {
    /// The blocks.
    pub blocks: Vec<Block>,
}
