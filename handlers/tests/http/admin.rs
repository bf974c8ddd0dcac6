//! What server admins see of the nodes.

use std::time::Duration;

use protocol::{ConnectionId, ErrorCode};
use serde_json::json;
use shared::cluster::Node;

use crate::server::Server;

#[tokio::test]
async fn admins_see_the_nodes_and_others_do_not() {
    for server in Server::each_with(|settings| settings.admins = vec!["root1".to_owned()]).await {
        server
            .get("/v1/admin/nodes")
            .refused(ErrorCode::Unauthenticated)
            .await;
        let ada = server.register("ada").await;
        ada.get("/v1/admin/nodes")
            .refused(ErrorCode::Forbidden)
            .await;
        let admin = server.register("root1").await;
        let none = admin.get("/v1/admin/nodes").await_status(200).await;
        assert_eq!(none.json, json!({ "nodes": [] }));

        for (name, internal_url, draining) in [
            ("b", "http://10.0.0.2:9000", true),
            ("a", "https://a.example.com", false),
        ] {
            let node = Node {
                name: name.to_owned(),
                url: format!("https://{name}.example.com"),
                internal_url: internal_url.to_owned(),
                weight: 2,
                draining,
            };
            let store = &server.app.store;
            let incarnation: ConnectionId = server.app.clock.id();
            store
                .register_node(&node, incarnation.uuid(), Duration::ZERO)
                .await
                .unwrap();
        }
        let mut seen = admin.get("/v1/admin/nodes").await_status(200).await.json;
        for node in seen["nodes"].as_array_mut().unwrap() {
            let node = node.as_object_mut().unwrap();
            let (started, seen) = (node.remove("started_at"), node.remove("seen_at"));
            assert!(started.is_some() && started == seen, "{started:?} {seen:?}");
        }
        assert_eq!(
            seen,
            json!({ "nodes": [
                { "name": "a", "public_url": "https://a.example.com", "weight": 2, "state": "live" },
                { "name": "b", "public_url": "https://b.example.com",
                  "internal_url": "http://10.0.0.2:9000", "weight": 2, "state": "draining" },
            ] })
        );
    }
}
