//! What people do, in the order in which they could.

use std::path::Path;

use serde_json::json;

use super::{NOTHING, NOWHERE, Rows, accounts, conversation, empty, text};
use crate::server::Person;

/// Who is there in the end, and where.
pub(super) struct Scene<'a> {
    pub(super) root: Person<'a>,
    /// Has the rooms.
    pub(super) ada: Person<'a>,
    pub(super) ben: Person<'a>,
    /// Is in neither room.
    pub(super) eve: Person<'a>,
    pub(super) room: String,
    pub(super) private: String,
    pub(super) bot: String,
    not_found: Vec<String>,
}

impl Scene<'_> {
    pub(super) fn bot_path(&self) -> String {
        format!("/v1/bots/{}", self.bot)
    }

    pub(super) fn promises_not_found(&self, operation: &str) -> bool {
        self.not_found.iter().any(|other| other == operation)
    }
}

pub(super) async fn run<'a>(rows: &mut Rows<'a>, mail: &Path) -> Scene<'a> {
    let [root, ada, ben, eve] = accounts::run(rows, mail).await;
    let bot = rows
        .ask(
            &ada,
            "POST /v1/bots",
            &[],
            json!({ "username": "helper" }),
            201,
        )
        .await;
    let (room, private) = rooms(rows, &ada, &ben, &eve).await;
    conversation::messages(rows, &ada, &ben, &room).await;
    conversation::files(rows, &ada, &ben, &eve, &private).await;
    let not_found = rows
        .operations()
        .into_iter()
        .filter(|operation| rows.promises(operation, 404))
        .collect();
    Scene {
        root,
        ada,
        ben,
        eve,
        room,
        private,
        bot: text(&bot["id"]),
        not_found,
    }
}

/// A room with ada and ben, and a private one of ada's alone.
async fn rooms<'a>(
    rows: &mut Rows<'a>,
    ada: &Person<'a>,
    ben: &Person<'a>,
    eve: &Person<'a>,
) -> (String, String) {
    let made = rows
        .ask(ada, "POST /v1/rooms", &[], json!({ "name": "Tea" }), 201)
        .await;
    let room = text(&made["id"]);
    rows.ask(ben, "POST /v1/rooms", &[], json!({ "name": "tea" }), 409)
        .await;
    let hidden = json!({ "name": "Hidden", "visibility": "private", "password": "four" });
    let private = text(&rows.ask(ada, "POST /v1/rooms", &[], hidden, 201).await["id"]);
    rows.ask(ada, "GET /v1/rooms", &[], NOTHING, 200).await;
    rows.ask(ada, "GET /v1/users/me/rooms", &[], NOTHING, 200)
        .await;
    rows.ask(ada, "GET /v1/rooms/{room}", &[&room], NOTHING, 200)
        .await;
    rows.ask(
        ada,
        "PATCH /v1/rooms/{room}",
        &[&room],
        json!({ "topic": "leaves" }),
        200,
    )
    .await;
    rows.ask(
        ada,
        "PATCH /v1/rooms/{room}",
        &[&room],
        json!({ "name": "hidden" }),
        409,
    )
    .await;

    let members = "POST /v1/rooms/{room}/members";
    rows.ask(
        ada,
        "PATCH /v1/rooms/{room}",
        &[&room],
        json!({ "max_members": 1 }),
        200,
    )
    .await;
    rows.ask(ben, members, &[&room], empty(), 409).await;
    rows.ask(
        ada,
        "PATCH /v1/rooms/{room}",
        &[&room],
        json!({ "max_members": 9 }),
        200,
    )
    .await;
    rows.ask(ben, members, &[&room], empty(), 201).await;
    rows.ask(ben, members, &[&room], empty(), 200).await;
    rows.ask(
        ben,
        "DELETE /v1/rooms/{room}/members/me",
        &[&room],
        NOTHING,
        204,
    )
    .await;
    rows.ask(
        ada,
        "DELETE /v1/rooms/{room}/members/me",
        &[&room],
        NOTHING,
        409,
    )
    .await;
    rows.ask(ben, members, &[&room], empty(), 201).await;
    rows.ask(ben, "GET /v1/rooms/{room}/members", &[&room], NOTHING, 200)
        .await;
    let member = "PATCH /v1/rooms/{room}/members/{user}";
    rows.ask(
        ada,
        member,
        &[&room, &ben.id],
        json!({ "role": "moderator" }),
        200,
    )
    .await;
    rows.ask(
        ada,
        member,
        &[&room, &ada.id],
        json!({ "role": "member" }),
        409,
    )
    .await;

    rows.ask(eve, members, &[&room], empty(), 201).await;
    rows.ask(
        ben,
        "DELETE /v1/rooms/{room}/members/{user}",
        &[&room, &eve.id],
        NOTHING,
        204,
    )
    .await;
    rows.ask(
        ben,
        "PUT /v1/rooms/{room}/bans/{user}",
        &[&room, &eve.id],
        empty(),
        204,
    )
    .await;
    rows.ask(ben, "GET /v1/rooms/{room}/bans", &[&room], NOTHING, 200)
        .await;
    rows.ask(eve, members, &[&room], empty(), 403).await;
    rows.ask(
        ben,
        "DELETE /v1/rooms/{room}/bans/{user}",
        &[&room, &eve.id],
        NOTHING,
        204,
    )
    .await;

    let invite = rows
        .ask(ben, "POST /v1/rooms/{room}/invites", &[&room], empty(), 201)
        .await;
    rows.ask(ben, "GET /v1/rooms/{room}/invites", &[&room], NOTHING, 200)
        .await;
    rows.ask(
        ben,
        "DELETE /v1/rooms/{room}/invites/{code}",
        &[&room, &text(&invite["code"])],
        NOTHING,
        204,
    )
    .await;

    let direct = |who: &Person<'_>| json!({ "user_ids": [who.id] });
    let conversation = text(&rows.ask(ada, "POST /v1/dms", &[], direct(ben), 201).await["id"]);
    rows.ask(ben, "POST /v1/dms", &[], direct(ada), 200).await;
    rows.ask(
        ada,
        "POST /v1/dms",
        &[],
        json!({ "user_ids": [NOWHERE] }),
        404,
    )
    .await;
    rows.ask(
        ada,
        "DELETE /v1/rooms/{room}",
        &[&conversation],
        NOTHING,
        409,
    )
    .await;

    let passing = text(
        &rows
            .ask(
                ada,
                "POST /v1/rooms",
                &[],
                json!({ "name": "Passing" }),
                201,
            )
            .await["id"],
    );
    rows.ask(ada, "DELETE /v1/rooms/{room}", &[&passing], NOTHING, 204)
        .await;
    rows.ask(ada, "GET /v1/users/me/rooms/deleted", &[], NOTHING, 200)
        .await;
    rows.ask(
        ada,
        "POST /v1/rooms/{room}/restore",
        &[&passing],
        NOTHING,
        200,
    )
    .await;
    (room, private)
}
