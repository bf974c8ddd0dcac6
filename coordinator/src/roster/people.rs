//! Who is in a room while nothing happens there, without what is only needed for what happens.

use std::collections::BTreeMap;

use protocol::UserId;

use super::{Roster, here::Here};
use crate::few::Few;

/// Everybody who is in a room while nothing happens there.
pub(crate) struct People {
    here: Few<UserId, Here>,
    hidden: BTreeMap<u64, UserId>,
    visible_count: u32,
    shown_count: u32,
    member_count: u32,
    arrivals: u64,
}

impl Roster {
    /// The people alone, in a room in which nothing changes by itself.
    pub(crate) fn into_people(self) -> People {
        debug_assert!(self.deadline().is_none(), "something is about to change");
        People {
            here: self.here,
            hidden: self.hidden,
            visible_count: self.visible_count,
            shown_count: self.shown_count,
            member_count: self.member_count,
            arrivals: self.arrivals,
        }
    }

    /// They are here.
    pub(crate) fn take_back(&mut self, people: People) {
        self.here = people.here;
        self.hidden = people.hidden;
        self.visible_count = people.visible_count;
        self.shown_count = people.shown_count;
        self.member_count = people.member_count;
        self.arrivals = people.arrivals;
    }
}

/// How many bytes somebody who is in a room takes, and how many they may.
#[cfg(test)]
pub(crate) const WEIGHTS: [(&str, usize, usize); 1] =
    [("a person in a room", size_of::<Here>(), 112)];
