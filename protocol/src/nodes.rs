//! The coordinators of a cluster, for server admins to read at `/v1/admin/nodes`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

/// The answer of `GET /v1/admin/nodes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeList {
    /// The nodes, by name; dead ones for a day.
    pub nodes: Vec<NodeStatus>,
}

/// A coordinator, as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeStatus {
    /// Its name, unique in the cluster.
    pub name: String,
    /// Where clients connect.
    pub public_url: String,
    /// Where hints and peers come, if not there too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_url: Option<String>,
    /// Its share of the rooms, against the weights of the others.
    #[schema(minimum = 1)]
    pub weight: u32,
    /// Whether it owns rooms.
    pub state: NodeState,
    /// When it started, by the database's clock.
    pub started_at: Timestamp,
    /// When it was heard of last, by the same clock.
    pub seen_at: Timestamp,
}

/// Whether a node owns rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It owns its share.
    Live,
    /// It is about to go and owns nothing new.
    Draining,
    /// It was not heard of for five seconds and owns nothing.
    Dead,
}

impl NodeState {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Draining => "draining",
            Self::Dead => "dead",
        }
    }
}
