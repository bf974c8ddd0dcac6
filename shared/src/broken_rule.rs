//! Rules that can be broken on purpose, so that it is seen whether anybody notices. Only builds with the
//! feature `broken-rules` can break one, by `CHATX_BROKEN_RULE`; in others none is ever broken, and the
//! variable is unknown.

/// A rule on which a promise stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenRule {
    /// `ack-before-commit`: a message is acked, at the place that it will probably have, before it is stored.
    AckBeforeCommit,
    /// `no-dedupe`: a message that is sent again is stored again.
    NoDedupe,
    /// `no-hole-check`: an event in fifty is lost on its way, and the next one is sent all the same.
    NoHoleCheck,
}

impl BrokenRule {
    /// Whether this process breaks it.
    #[cfg(not(feature = "broken-rules"))]
    #[inline]
    pub const fn is_broken(self) -> bool {
        false
    }
}

#[cfg(feature = "broken-rules")]
pub use chosen::{SETTING, chosen};

#[cfg(feature = "broken-rules")]
mod chosen {
    use std::{env, str::FromStr, sync::OnceLock};

    use super::BrokenRule;

    /// Names the rule that a process breaks.
    pub const SETTING: &str = "CHATX_BROKEN_RULE";

    impl BrokenRule {
        /// Whether this process breaks it.
        pub fn is_broken(self) -> bool {
            chosen() == Some(self)
        }
    }

    /// The rule that this process breaks.
    pub fn chosen() -> Option<BrokenRule> {
        static CHOSEN: OnceLock<Option<BrokenRule>> = OnceLock::new();
        *CHOSEN.get_or_init(|| env::var(SETTING).ok()?.parse().ok())
    }

    impl FromStr for BrokenRule {
        type Err = &'static str;

        fn from_str(word: &str) -> Result<Self, Self::Err> {
            match word {
                "ack-before-commit" => Ok(Self::AckBeforeCommit),
                "no-dedupe" => Ok(Self::NoDedupe),
                "no-hole-check" => Ok(Self::NoHoleCheck),
                _ => Err("must be ack-before-commit, no-dedupe or no-hole-check"),
            }
        }
    }
}
