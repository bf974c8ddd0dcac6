//! Who types in one room, by the rule that typing ends by itself.

use std::{collections::BTreeMap, time::Duration};

use protocol::{UserId, accounts::UserSummary};
use tokio::time::Instant;

use super::Effect;

/// Everybody who types, or did a moment ago.
#[derive(Debug, Default)]
pub(super) struct Typing(BTreeMap<UserId, Typist>);

#[derive(Debug)]
struct Typist {
    user: UserSummary,
    began_at: Instant,
    /// When it ends if nothing more is said; nothing once it ended.
    ends_at: Option<Instant>,
}

/// How long typing lasts without another word of it.
const LASTS: Duration = Duration::from_secs(6);
/// How often the beginning of typing counts.
const EVERY: Duration = Duration::from_secs(3);

impl Typing {
    pub(super) fn begin(&mut self, user: UserSummary, now: Instant, effects: &mut Vec<Effect>) {
        let ends_at = Some(now + LASTS);
        match self.0.get_mut(&user.id) {
            // What comes too soon after the last that counted does not count.
            Some(typist) if now < typist.began_at + EVERY => return,
            Some(typist) => {
                typist.began_at = now;
                typist.ends_at = ends_at;
            }
            None => {
                let typist = Typist {
                    user: user.clone(),
                    began_at: now,
                    ends_at,
                };
                self.0.insert(user.id, typist);
            }
        }
        effects.push(Effect::Typing(user, true));
    }

    pub(super) fn end(&mut self, user: UserId, effects: &mut Vec<Effect>) {
        if let Some(typist) = self.0.get_mut(&user)
            && typist.ends_at.take().is_some()
        {
            effects.push(Effect::Typing(typist.user.clone(), false));
        }
    }

    pub(super) fn expire(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let is_over = |typist: &&Typist| typist.ends_at.is_some_and(|at| at <= now);
        let ended: Vec<_> = self
            .0
            .values()
            .filter(is_over)
            .map(|it| it.user.id)
            .collect();
        for user in ended {
            self.end(user, effects);
        }
        // Who stopped is remembered only for as long as beginning again would be too soon.
        self.0.retain(|_, typist| typist.deadline() > now);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.values().map(Typist::deadline).min()
    }
}

impl Typist {
    fn deadline(&self) -> Instant {
        self.ends_at.unwrap_or(self.began_at + EVERY)
    }
}
