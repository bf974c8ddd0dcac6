//! Every row of the table of routes, on both engines: each operation of the document answers with each status that the
//! document promises, and with no other. Who adds an operation, or an answer to one, adds a line here.

mod accounts;
mod conversation;
mod programs;
mod refused;
mod story;

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::{Value, json};
use shared::settings::Provider;

use crate::{
    provider::Issuer,
    server::{Answer, Ask, Person, Server},
};

/// What is shown elsewhere: limits in `limits.rs`, a store that is away in the tests of whole systems.
const ELSEWHERE: [u16; 3] = [429, 500, 503];

/// Answers of the document that cannot be had here, and where they are.
const NOT_HERE: [(&str, u16, &str); 7] = [
    (
        "POST /v1/rooms/{room}/files",
        413,
        "a file of 26 MiB: `files.rs`",
    ),
    (
        "POST /v1/auth/password",
        409,
        "two changes at the same moment",
    ),
    ("DELETE /v1/users/me", 409, "two changes at the same moment"),
    (
        "POST /v1/users/me/identities",
        201,
        "a provider that answers: `oidc.rs`",
    ),
    (
        "DELETE /v1/users/me/identities/{identity}",
        204,
        "an identity: `oidc.rs`",
    ),
    (
        "DELETE /v1/users/me/identities/{identity}",
        409,
        "an identity: `oidc.rs`",
    ),
    (
        "PATCH /v1/admin/users/{user}",
        409,
        "the last server admin, where the settings name none: `administration.rs`",
    ),
];

#[tokio::test]
async fn every_operation_answers_as_the_document_says() {
    let mail = tempfile::tempdir().unwrap();
    let place = format!("dir:{}", mail.path().display());
    let provider = Provider {
        issuer: format!("http://127.0.0.1:{}", testkit::free_port()),
        ..Issuer::start().await.settings("away")
    };
    let set = |settings: &mut shared::Settings| {
        settings.admins = vec!["root1".to_owned()];
        settings.providers = vec![provider.clone()];
        settings.mail = Some(place.clone().into());
    };
    for server in Server::each_with(set).await {
        let mut rows = Rows::of(&server).await;
        let scene = story::run(&mut rows, mail.path()).await;
        rows.is_lenient = true;
        programs::run(&mut rows, &scene).await;
        refused::run(&mut rows, &scene).await;
        rows.are_complete();
    }
}

/// What was asked so far, and what of it was answered how.
pub(super) struct Rows<'a> {
    server: &'a Server,
    /// The statuses of each operation, as `POST /v1/rooms`.
    promised: BTreeMap<String, BTreeSet<u16>>,
    /// The operations that take a body, and those that anybody may ask for.
    pub(super) with_body: BTreeSet<String>,
    pub(super) open: BTreeSet<String>,
    answered: BTreeMap<String, BTreeSet<u16>>,
    /// What was answered otherwise; all of it is told in the end.
    wrong: Vec<String>,
    /// Whether what is answered otherwise is only noted: nothing that comes after it stands on it.
    is_lenient: bool,
}

impl<'a> Rows<'a> {
    async fn of(server: &'a Server) -> Self {
        let document = server.get("/v1/openapi.json").await_status(200).await.json;
        let mut rows = Self {
            server,
            promised: BTreeMap::new(),
            with_body: BTreeSet::new(),
            open: BTreeSet::new(),
            answered: BTreeMap::new(),
            wrong: Vec::new(),
            is_lenient: false,
        };
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let name = format!("{} {path}", method.to_uppercase());
                let statuses = operation["responses"].as_object().unwrap().keys();
                let statuses = statuses.map(|status| status.parse().unwrap());
                rows.promised.insert(
                    name.clone(),
                    statuses
                        .filter(|status| !ELSEWHERE.contains(status))
                        .collect(),
                );
                if operation.get("requestBody").is_some() {
                    rows.with_body.insert(name.clone());
                }
                if operation["security"][0].as_object().unwrap().is_empty() {
                    rows.open.insert(name);
                }
            }
        }
        rows
    }

    pub(super) fn operations(&self) -> Vec<String> {
        self.promised.keys().cloned().collect()
    }

    pub(super) fn promises(&self, operation: &str, status: u16) -> bool {
        self.promised[operation].contains(&status)
    }

    pub(super) const fn server(&self) -> &'a Server {
        self.server
    }

    /// Asks for an operation, its parameters filled in order, with a body unless it is null, and expects a status.
    pub(super) async fn ask(
        &mut self,
        who: &Person<'_>,
        row: &str,
        at: &[&str],
        body: Value,
        status: u16,
    ) -> Value {
        let (method, path) = filled(row, at);
        let ask = who.ask(method, path);
        let ask = if body.is_null() { ask } else { ask.json(body) };
        self.note(row, ask, status).await.json
    }

    /// The same by nobody in particular.
    pub(super) async fn ask_openly(
        &mut self,
        row: &str,
        at: &[&str],
        body: Value,
        status: u16,
    ) -> Value {
        let (method, path) = filled(row, at);
        self.note(row, self.server.ask(method, path).json(body), status)
            .await
            .json
    }

    /// Notes what is answered to something that was put together elsewhere.
    pub(super) async fn note(&mut self, row: &str, ask: Ask<'_>, status: u16) -> Answer {
        let operation = row.split('?').next().unwrap();
        let promised = self
            .promised
            .get(operation)
            .unwrap_or_else(|| panic!("{operation} is not in the document"));
        let answer = ask.answer().await;
        let answered = answer.status.as_u16();
        if answered != status || !promised.contains(&answered) {
            let wrong = format!(
                "{row}: {answered}, not {status} of {promised:?}: {}",
                answer.json
            );
            assert!(self.is_lenient, "{wrong}");
            self.wrong.push(wrong);
        }
        self.answered
            .entry(operation.to_owned())
            .or_default()
            .insert(answered);
        answer
    }

    fn are_complete(&self) {
        let mut missing = Vec::new();
        for (operation, promised) in &self.promised {
            let nothing = BTreeSet::new();
            let answered = self.answered.get(operation).unwrap_or(&nothing);
            let never = promised.difference(answered);
            let never = never.filter(|status| {
                !NOT_HERE
                    .iter()
                    .any(|(other, code, _)| other == operation && code == *status)
            });
            missing.extend(never.map(|status| format!("{operation} {status}")));
        }
        assert!(
            missing.is_empty() && self.wrong.is_empty(),
            "wrong: {:#?}\nnever answered: {missing:#?}",
            self.wrong
        );
    }
}

/// The method and the path of `POST /v1/rooms/{room}/members?query`, with what is between braces taken from `at`.
pub(super) fn filled(row: &str, at: &[&str]) -> (Method, String) {
    let (method, template) = row.split_once(' ').unwrap();
    let mut at = at.iter();
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        path += before;
        path += at
            .next()
            .unwrap_or_else(|| panic!("{row} has more parameters"));
        rest = after.split_once('}').unwrap().1;
    }
    assert!(at.next().is_none(), "{row} has fewer parameters");
    (method.parse().unwrap(), path + rest)
}

pub(super) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

/// The id of nothing.
pub(super) const NOWHERE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

pub(super) const NOTHING: Value = Value::Null;

/// A body without fields.
pub(super) fn empty() -> Value {
    json!({})
}
