//! The documents: that they are there, complete, and readable without another server.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::server::Server;

/// The table of `lib.rs`, as a list of method and path.
fn operations(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    let each = |(path, item): (&String, &Value)| {
        let methods: Vec<String> = item
            .as_object()
            .unwrap()
            .keys()
            .map(|name| name.to_uppercase())
            .collect();
        methods
            .into_iter()
            .map(|method| format!("{method} {path}"))
            .collect::<Vec<_>>()
    };
    paths.iter().flat_map(each).collect()
}

#[tokio::test]
async fn the_document_tells_of_every_operation_and_every_answer() {
    let server = Server::start().await;
    let document = server.get("/v1/openapi.json").await_status(200).await.json;
    assert_eq!(document["openapi"], "3.1.0");
    let expected = include_str!("operations.txt")
        .lines()
        .map(str::to_owned)
        .collect();
    let told = operations(&document);
    assert_eq!(told, expected, "keep operations.txt with the routes");

    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{place}");
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap()),
                "{place}: its name is taken"
            );
            let responses = operation["responses"].as_object().unwrap();
            for (status, response) in responses {
                assert!(
                    !response["description"].as_str().unwrap().is_empty(),
                    "{place} {status}"
                );
                let schema = &response["content"]["application/json"]["schema"];
                let is_refusal = status.starts_with(['4', '5']);
                assert_eq!(
                    schema["$ref"] == "#/components/schemas/ErrorBody",
                    is_refusal,
                    "{place} {status}"
                );
            }
            let is_open = operation["security"][0].as_object().unwrap().is_empty();
            assert!(is_open || responses.contains_key("401"), "{place}");
        }
    }
    assert_references(&document, &document);
}

fn assert_references(document: &Value, value: &Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get("$ref") {
                let target = reference
                    .strip_prefix('#')
                    .and_then(|pointer| document.pointer(pointer));
                assert!(target.is_some(), "{reference}");
            }
            object
                .values()
                .for_each(|value| assert_references(document, value));
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| assert_references(document, value)),
        _ => {}
    }
}

#[tokio::test]
async fn the_documents_are_served() {
    let server = Server::start().await;
    let asyncapi = server.get("/v1/asyncapi.json").await_status(200).await.json;
    assert_eq!(asyncapi["asyncapi"], "3.0.0");
    let page = server.get("/docs/").await_status(200).await;
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'self'"),
        "it loads nothing from elsewhere"
    );
    for file in [
        "swagger-ui-bundle.js",
        "swagger-ui.css",
        "swagger-initializer.js",
    ] {
        server.get(format!("/docs/{file}")).await_status(200).await;
    }
    let keys = server
        .get("/.well-known/jwks.json")
        .await_status(200)
        .await
        .json;
    assert_eq!(
        (
            keys["keys"][0]["kty"].as_str(),
            keys["keys"][0]["crv"].as_str()
        ),
        (Some("OKP"), Some("Ed25519"))
    );
}

#[test]
fn the_protocol_page_tells_of_every_path() {
    let page = include_str!("../../../docs/protocol.md");
    for operation in include_str!("operations.txt").lines() {
        let (_, path) = operation.split_once(' ').unwrap();
        assert!(page.contains(path), "{path}");
    }
}
