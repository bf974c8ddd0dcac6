//! `chatx nodes`: the coordinators that the store knows of, as a table or as JSON. It reads the store
//! beside whatever works in it, and needs no server that answers.

use std::io::{self, Write};

use anyhow::{Context as _, Result};
use protocol::{Timestamp, nodes::NodeList};
use shared::{Settings, cluster::Cluster};

use crate::parts::existing_store;

/// Reads them.
///
/// # Errors
/// When there is no store, or it does not answer.
pub async fn read(settings: &Settings) -> Result<NodeList> {
    let store = existing_store(settings).await?;
    let read = Cluster::new(store.clone()).nodes().await;
    store.close().await;
    let nodes = read.context("the nodes cannot be read from the database")?;
    Ok(NodeList { nodes })
}

/// Prints the answer of `GET /v1/admin/nodes`.
///
/// # Errors
/// When nobody reads.
pub fn print_json(list: &NodeList, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, list)?;
    writeln!(out)
}

/// Prints one line a node. The database's clock is taken to be `now`, near enough for people.
///
/// # Errors
/// When nobody reads.
pub fn print(list: &NodeList, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    if list.nodes.is_empty() {
        return writeln!(out, "no coordinator has been here for a day");
    }
    let mut rows = vec![
        [
            "NODE",
            "STATE",
            "WEIGHT",
            "STARTED",
            "SEEN",
            "URL",
            "INTERNAL URL",
        ]
        .map(str::to_owned),
    ];
    rows.extend(list.nodes.iter().map(|node| {
        [
            node.name.clone(),
            node.state.as_str().to_owned(),
            node.weight.to_string(),
            ago(node.started_at, now),
            ago(node.seen_at, now),
            node.public_url.clone(),
            node.internal_url.clone().unwrap_or_default(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..rows[0].len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    for row in &rows {
        let cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// How long ago that was, in its largest unit.
fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(then).as_secs();
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::nodes::{NodeState, NodeStatus};

    use super::*;

    #[test]
    fn a_table_lines_up_and_json_reads_back() {
        let now = Timestamp::from_unix_ms(1_763_800_000_000);
        let node = |name: &str, state, seen_s| NodeStatus {
            name: name.to_owned(),
            public_url: "http://127.0.0.1:8080".to_owned(),
            internal_url: (state == NodeState::Live).then(|| "http://10.0.0.1:9000".to_owned()),
            weight: 2,
            state,
            started_at: now.before(Duration::from_secs(90_000)),
            seen_at: now.before(Duration::from_secs(seen_s)),
        };
        let list = NodeList {
            nodes: vec![
                node("a", NodeState::Live, 1),
                node("a-long-name", NodeState::Dead, 125),
            ],
        };
        let printed = |print: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
            let mut out = Vec::new();
            print(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            printed(&|out| super::print(&list, now, out)),
            "NODE         STATE  WEIGHT  STARTED  SEEN       URL                    INTERNAL URL\n\
             a            live   2       1 d ago  1 s ago    http://127.0.0.1:8080  http://10.0.0.1:9000\n\
             a-long-name  dead   2       1 d ago  2 min ago  http://127.0.0.1:8080\n"
        );
        let json = printed(&|out| print_json(&list, out));
        assert_eq!(serde_json::from_str::<NodeList>(&json).unwrap(), list);
        let nobody = NodeList { nodes: Vec::new() };
        assert!(printed(&|out| super::print(&nobody, now, out)).starts_with("no coordinator"));
    }
}
