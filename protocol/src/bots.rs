//! Bots: accounts of programs, and the tokens by which they prove who they are.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Fields, Limits, Parse, SessionId, Timestamp, UserId, Violation,
    accounts::{ChangeProfile, ProfileBody},
    fields::{Whole, id, word},
    text::{DisplayName, Label, Username, is_reserved},
};

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    /// People, rooms and who is in them.
    #[serde(rename = "rooms:read")]
    RoomsRead,
    /// Making, changing and deleting rooms, joining and leaving them, letting others in.
    #[serde(rename = "rooms:write")]
    RoomsWrite,
    /// Messages, the log, searching, and sockets.
    #[serde(rename = "messages:read")]
    MessagesRead,
    /// Sending, editing, deleting, reacting and pinning.
    #[serde(rename = "messages:write")]
    MessagesWrite,
    /// Roles, mutes, kicks and bans.
    #[serde(rename = "members:write")]
    MembersWrite,
    /// Uploading files.
    #[serde(rename = "files:write")]
    FilesWrite,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::RoomsRead,
        Self::RoomsWrite,
        Self::MessagesRead,
        Self::MessagesWrite,
        Self::MembersWrite,
        Self::FilesWrite,
    ];

    /// The stable word, as on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoomsRead => "rooms:read",
            Self::RoomsWrite => "rooms:write",
            Self::MessagesRead => "messages:read",
            Self::MessagesWrite => "messages:write",
            Self::MembersWrite => "members:write",
            Self::FilesWrite => "files:write",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes. Small, because every socket has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes(u8);

impl Scopes {
    /// Whether `scope` is among them.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Each of them, in the order of the contract.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl From<Vec<Scope>> for Scopes {
    fn from(scopes: Vec<Scope>) -> Self {
        scopes.into_iter().collect()
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.iter().collect()
    }
}

/// As in the store: words with spaces between them.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Scope::as_str).collect();
        f.write_str(&words.join(" "))
    }
}

impl FromStr for Scopes {
    type Err = Violation;

    /// A word that this version does not know opens nothing.
    fn from_str(text: &str) -> Result<Self, Violation> {
        let words = text.split_ascii_whitespace();
        Ok(words
            .filter_map(|text| word(text.to_owned()).ok())
            .collect())
    }
}

/// An account of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bot {
    /// The account.
    pub id: UserId,
    /// Its unique name.
    pub username: String,
    /// What it is shown as.
    pub display_name: String,
    /// What it does.
    pub bio: String,
    /// Who made it, and answers for it.
    pub owner_id: UserId,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A page of bots, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BotList {
    /// The bots.
    pub bots: Vec<Bot>,
    /// Where the next page begins; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<UserId>,
}

/// The query of `GET /v1/bots`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BotsQuery {
    /// Everybody's, for server admins.
    #[param(inline, value_type = bool, required = false)]
    all: Option<String>,
    /// Where the page before ended.
    #[param(value_type = UserId, required = false)]
    cursor: Option<String>,
    /// At most so many; 50 if left out.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
}

/// A checked question for bots.
#[derive(Clone, Copy, Debug, Default)]
pub struct FindBots {
    /// Everybody's.
    pub all: bool,
    /// The last bot of the page before.
    pub cursor: Option<UserId>,
    /// At most so many.
    pub limit: u32,
}

impl Parse for FindBots {
    type Raw = BotsQuery;

    fn parse(raw: BotsQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let all = fields.optional("all", raw.all, |raw| {
            raw.parse().map_err(|_| Violation::Invalid)
        });
        let cursor = fields.optional("cursor", raw.cursor, id);
        let limit = crate::rooms::page_limit(&mut fields, raw.limit, limits);
        if fields.is_empty() {
            Ok(Self {
                all: all.unwrap_or_default(),
                cursor,
                limit,
            })
        } else {
            Err(fields)
        }
    }
}

/// `POST /v1/bots`
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct BotBody {
    /// 3 to 32 of `a-z 0-9 _ . -`.
    #[schema(required, nullable = false, min_length = 3, max_length = 32)]
    pub username: Option<String>,
    /// 1 to 64 characters; the username if left out.
    #[schema(min_length = 1, max_length = 64)]
    pub display_name: Option<String>,
    /// At most 500 characters.
    #[schema(max_length = 500)]
    pub bio: Option<String>,
}

/// A checked new bot.
#[derive(Clone, Debug)]
pub struct NewBot {
    /// Its unique name.
    pub username: Username,
    /// What it is shown as.
    pub display_name: Option<DisplayName>,
    /// What it does.
    pub bio: String,
}

impl Parse for NewBot {
    type Raw = BotBody;

    fn parse(raw: BotBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let username = fields.required("username", raw.username, |raw| {
            let name = Username::parse(&raw, limits)?;
            if is_reserved(&name) {
                Err(Violation::Reserved)
            } else {
                Ok(name)
            }
        });
        let display_name = fields.optional("display_name", raw.display_name, |raw| {
            DisplayName::parse(&raw, limits)
        });
        let profile = ProfileBody {
            bio: raw.bio.map(Some),
            ..ProfileBody::default()
        };
        let bio = match ChangeProfile::parse(profile, limits) {
            Ok(profile) => profile.bio,
            Err(wrong) => {
                fields.merge(wrong);
                None
            }
        };
        match username {
            Some(username) if fields.is_empty() => Ok(Self {
                username,
                display_name,
                bio: bio.unwrap_or_default(),
            }),
            _ => Err(fields),
        }
    }
}

/// `PATCH /v1/bots/{bot}`: what is left out stays.
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct ChangeBotBody {
    /// 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    pub display_name: Option<String>,
    /// At most 500 characters.
    #[schema(max_length = 500)]
    pub bio: Option<String>,
}

/// A checked change of a bot.
#[derive(Clone, Debug, Default)]
pub struct ChangeBot(pub ChangeProfile);

impl Parse for ChangeBot {
    type Raw = ChangeBotBody;

    fn parse(raw: ChangeBotBody, limits: &Limits) -> Result<Self, Fields> {
        let profile = ProfileBody {
            display_name: raw.display_name.map(Some),
            bio: raw.bio.map(Some),
            ..ProfileBody::default()
        };
        ChangeProfile::parse(profile, limits).map(Self)
    }
}

/// What a bot proves itself with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BotToken {
    /// The token; not what is shown, but what it is called by.
    pub id: SessionId,
    /// What its maker calls it.
    pub name: String,
    /// What it opens.
    #[schema(value_type = Vec<Scope>)]
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; left out if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A token that was made just now.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct FreshToken {
    /// What can be said of it later too.
    #[serde(flatten)]
    pub about: BotToken,
    /// The secret itself, which is shown this once.
    pub token: String,
}

/// A bot's tokens.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BotTokenList {
    /// The tokens, the newest first.
    pub tokens: Vec<BotToken>,
}

/// `POST /v1/bots/{bot}/tokens`
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct BotTokenBody {
    /// 1 to 64 characters.
    #[schema(required, nullable = false, min_length = 1, max_length = 64)]
    pub name: Option<String>,
    /// What it opens, at least one.
    #[schema(required, nullable = false, value_type = Vec<Scope>, min_items = 1)]
    pub scopes: Option<Vec<String>>,
    /// Seconds that it lives, at most ten years; until it is revoked if left out.
    #[schema(minimum = 1, maximum = 315360000)]
    pub expires_in_s: Option<u64>,
}

/// A checked new token.
#[derive(Clone, Debug)]
pub struct NewBotToken {
    /// What its maker calls it.
    pub name: Label,
    /// What it opens.
    pub scopes: Scopes,
    /// Seconds that it lives.
    pub expires_in_s: Option<u64>,
}

const TEN_YEARS_S: u64 = 315_360_000;

impl Parse for NewBotToken {
    type Raw = BotTokenBody;

    fn parse(raw: BotTokenBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let name = fields.required("name", raw.name, |raw| Label::parse(&raw));
        let scopes = fields.required("scopes", raw.scopes, |raw| {
            let scopes: Scopes = raw.into_iter().map(word).collect::<Result<_, _>>()?;
            if scopes == Scopes::default() {
                Err(Violation::TooShort)
            } else {
                Ok(scopes)
            }
        });
        let expires_in_s = fields.optional("expires_in_s", raw.expires_in_s, |raw| {
            if (1..=TEN_YEARS_S).contains(&raw) {
                Ok(raw)
            } else {
                Err(Violation::OutOfRange)
            }
        });
        match (name, scopes) {
            (Some(name), Some(scopes)) if fields.is_empty() => Ok(Self {
                name,
                scopes,
                expires_in_s,
            }),
            _ => Err(fields),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_the_same_in_the_store_and_on_the_wire() {
        for scope in Scope::ALL {
            let only: Scopes = [scope].into_iter().collect();
            assert_eq!(
                serde_json::to_value(only).unwrap(),
                serde_json::json!([scope.as_str()])
            );
            assert_eq!(only.to_string().parse(), Ok(only));
            assert_eq!(only.iter().collect::<Vec<_>>(), [scope]);
        }
        let all: Scopes = Scope::ALL.into_iter().collect();
        assert_eq!(all.to_string().parse(), Ok(all));
        assert_eq!(
            "messages:read of:tomorrow"
                .parse::<Scopes>()
                .unwrap()
                .iter()
                .count(),
            1
        );
    }
}
