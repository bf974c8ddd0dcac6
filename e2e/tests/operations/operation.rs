//! What people try, made from a seed. Who, where and at which message are numbers, so that the seed tells all of it.

use protocol::Role;

/// A small generator, so that a run can be told by its seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed << 1 | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("it is below a usize")
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}

/// How many people there are. The first has the rooms to begin with.
pub(crate) const PEOPLE: usize = 7;

/// One thing that somebody tries; much of it they may not.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) who: usize,
    pub(crate) room: usize,
    /// Over their socket, where it can be said there; else over HTTP.
    pub(crate) by_socket: bool,
    pub(crate) what: What,
}

/// What it is. `back` is how many messages before the latest one, among those that it can be about.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Send(Text),
    Reply {
        back: usize,
        text: Text,
    },
    Thread {
        back: usize,
        text: Text,
    },
    /// One of their own once more, under the same name.
    Again {
        back: usize,
    },
    Edit {
        back: usize,
        text: Text,
    },
    DeleteOwn {
        back: usize,
    },
    Delete {
        back: usize,
    },
    React {
        back: usize,
        emoji: &'static str,
    },
    Unreact {
        back: usize,
        emoji: &'static str,
    },
    Pin {
        back: usize,
    },
    Unpin {
        back: usize,
    },
    Read {
        back: usize,
    },
    Join,
    Leave,
    Kick(usize),
    Ban(usize),
    Unban(usize),
    Role(usize, Role),
    Mute(usize),
    Unmute(usize),
    Block(usize),
    Unblock(usize),
    Topic(usize),
    Capacity(usize),
    Archive,
    Unarchive,
}

impl What {
    const fn is_moderation(&self) -> bool {
        matches!(
            self,
            Self::Delete { .. }
                | Self::Pin { .. }
                | Self::Unpin { .. }
                | Self::Kick(_)
                | Self::Ban(_)
                | Self::Unban(_)
                | Self::Role(..)
                | Self::Mute(_)
                | Self::Unmute(_)
                | Self::Topic(_)
                | Self::Capacity(_)
                | Self::Archive
        )
    }

    /// Its name alone.
    pub(crate) fn name(&self) -> String {
        format!("{self:?}")
            .split(|sign: char| !sign.is_alphabetic())
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}

/// What is written: a number, and whom it calls.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) number: usize,
    pub(crate) calls: Vec<usize>,
    pub(crate) calls_everybody: bool,
}

/// `count` operations in waves: what is in one wave is tried at once, each by another person.
pub(crate) fn waves(random: &mut Random, count: usize) -> Vec<Vec<Operation>> {
    let mut waves = certain();
    let mut made = waves.len();
    let mut unarchive = Vec::new();
    while made < count {
        let mut wave: Vec<Operation> = Vec::new();
        for _ in 0..=random.below(5) {
            let operation = operation(random, made);
            if wave.iter().all(|other| other.who != operation.who) {
                if matches!(operation.what, What::Archive) {
                    unarchive.push((waves.len() + 2 + random.below(6), operation.room));
                }
                wave.push(operation);
                made += 1;
            }
        }
        // Where nobody may write nothing happens, so that does not last.
        let now = waves.len();
        for (_, room) in unarchive.extract_if(.., |(due, _)| *due <= now) {
            for who in 0..2 {
                let what = What::Unarchive;
                waves.push(vec![Operation {
                    who,
                    room,
                    by_socket: false,
                    what,
                }]);
            }
        }
        waves.push(wave);
    }
    waves
}

/// What chance might never let happen, because few may do it: by the owner, to the last of all.
fn certain() -> Vec<Vec<Operation>> {
    use What::{
        Archive, Ban, Block, Capacity, Join, Kick, Leave, Mute, Role, Topic, Unarchive, Unban,
        Unblock, Unmute,
    };
    const LAST: usize = PEOPLE - 1;
    let by_owner = [
        Topic(0),
        Capacity(PEOPLE),
        Mute(LAST),
        Unmute(LAST),
        Role(LAST, protocol::Role::Admin),
        Kick(LAST),
        Ban(LAST),
        Unban(LAST),
        Block(LAST),
        Unblock(LAST),
        Archive,
        Unarchive,
    ];
    let by_themselves = [Join, Leave, Join];
    let tried = by_owner
        .map(|what| (0, what))
        .into_iter()
        .chain(by_themselves.map(|what| (LAST, what)));
    tried
        .map(|(who, what)| {
            vec![Operation {
                who,
                room: 0,
                by_socket: false,
                what,
            }]
        })
        .collect()
}

fn operation(random: &mut Random, number: usize) -> Operation {
    let what = what(random, number);
    // The first two may do more, so they do more of that.
    let is_theirs = what.is_moderation() && !random.one_in(4);
    let who = random.below(if is_theirs { 2 } else { PEOPLE });
    let room = [0, 0, 0, 0, 1, 1, 1, 2][random.below(8)];
    Operation {
        who,
        room,
        by_socket: random.one_in(2),
        what,
    }
}

fn what(random: &mut Random, number: usize) -> What {
    const EMOJI: [&str; 4] = ["👍", "🍵", "🎉", "❤️"];
    const ROLES: [Role; 6] = [
        Role::Member,
        Role::Member,
        Role::Moderator,
        Role::Moderator,
        Role::Admin,
        Role::Owner,
    ];
    // Mostly about what was just said, sometimes about what is long past.
    let back = if random.one_in(6) {
        random.below(400)
    } else {
        random.below(8)
    };
    let other = random.below(PEOPLE);
    let emoji = EMOJI[random.below(EMOJI.len())];
    match random.below(200) {
        0..42 => What::Send(text(random, number)),
        42..54 => What::Reply {
            back,
            text: text(random, number),
        },
        54..68 => What::Thread {
            back,
            text: text(random, number),
        },
        68..72 => What::Again { back },
        72..88 => What::Edit {
            back,
            text: text(random, number),
        },
        88..95 => What::DeleteOwn { back },
        95..98 => What::Delete { back },
        98..123 => What::React { back, emoji },
        123..133 => What::Unreact { back, emoji },
        133..139 => What::Pin { back },
        139..143 => What::Unpin { back },
        143..153 => What::Read { back },
        153..173 => What::Join,
        173..176 => What::Leave,
        176..178 => What::Kick(other),
        178..180 => What::Ban(other),
        180..187 => What::Unban(other),
        187..190 => What::Role(other, ROLES[random.below(ROLES.len())]),
        190 => What::Mute(other),
        191..195 => What::Unmute(other),
        195 => What::Block(other),
        196 => What::Unblock(other),
        197 => What::Topic(number),
        198 => What::Capacity(PEOPLE + random.below(9)),
        _ => What::Archive,
    }
}

fn text(random: &mut Random, number: usize) -> Text {
    let calls = if random.one_in(3) {
        (0..=random.below(3))
            .map(|_| random.below(PEOPLE))
            .collect()
    } else {
        Vec::new()
    };
    Text {
        number,
        calls,
        calls_everybody: random.one_in(12),
    }
}
