//! The coordinator under faults, by seed: nodes with real rooms and real links over a simulated
//! network, people on them, and a store that is slow, away or forgets to answer.

mod logs;
