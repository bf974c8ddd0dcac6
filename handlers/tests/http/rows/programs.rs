//! Bots, webhooks, hooks, and what server admins do.

use serde_json::json;

use super::{NOTHING, NOWHERE, Rows, empty, story::Scene, text};
use crate::server::Person;

pub(super) async fn run<'a>(rows: &mut Rows<'a>, scene: &Scene<'a>) {
    bots(rows, scene).await;
    webhooks(rows, scene).await;
    administration(rows, scene).await;
}

async fn bots<'a>(rows: &mut Rows<'a>, scene: &Scene<'a>) {
    let (ada, bot) = (&scene.ada, scene.bot.as_str());
    rows.ask(ada, "POST /v1/bots", &[], json!({ "username": "ben" }), 409)
        .await;
    rows.ask(ada, "GET /v1/bots", &[], NOTHING, 200).await;
    rows.ask(ada, "GET /v1/bots/{bot}", &[bot], NOTHING, 200)
        .await;
    rows.ask(
        ada,
        "PATCH /v1/bots/{bot}",
        &[bot],
        json!({ "bio": "helps" }),
        200,
    )
    .await;
    rows.ask(ada, "GET /v1/bots/{bot}/tokens", &[bot], NOTHING, 200)
        .await;
    let wish = json!({ "name": "a machine", "scopes": ["rooms:write"] });
    let mut last = rows
        .ask(ada, "POST /v1/bots/{bot}/tokens", &[bot], wish.clone(), 201)
        .await;
    let owning = text(&last["token"]);
    for _ in 1..50 {
        last = rows
            .ask(ada, "POST /v1/bots/{bot}/tokens", &[bot], wish.clone(), 201)
            .await;
    }
    rows.ask(ada, "POST /v1/bots/{bot}/tokens", &[bot], wish, 409)
        .await;
    let tokens = rows
        .ask(ada, "GET /v1/bots/{bot}/tokens", &[bot], NOTHING, 200)
        .await;
    for token in tokens["tokens"].as_array().unwrap().iter().take(10) {
        let id = text(&token["id"]);
        if id != text(&last["id"]) && !owning.contains(&id) {
            rows.ask(
                ada,
                "DELETE /v1/bots/{bot}/tokens/{token}",
                &[bot, &id],
                NOTHING,
                204,
            )
            .await;
        }
    }
    let other = text(
        &rows
            .ask(
                ada,
                "POST /v1/bots",
                &[],
                json!({ "username": "other" }),
                201,
            )
            .await["id"],
    );
    let (_, secret) = crate::bots::token(ada, &format!("/v1/bots/{other}"), &["rooms:write"]).await;
    let owned = rows
        .server()
        .post("/v1/rooms")
        .json(json!({ "name": "The bot's own" }));
    let owned = owned
        .header("authorization", &format!("Bearer {secret}"))
        .await_status(201)
        .await;
    rows.ask(ada, "DELETE /v1/bots/{bot}", &[&other], NOTHING, 409)
        .await;
    let delete = rows.server().ask(
        http::Method::DELETE,
        format!("/v1/rooms/{}", text(&owned.json["id"])),
    );
    delete
        .header("authorization", &format!("Bearer {secret}"))
        .await_status(204)
        .await;
    rows.ask(ada, "DELETE /v1/bots/{bot}", &[&other], NOTHING, 204)
        .await;
}

async fn webhooks<'a>(rows: &mut Rows<'a>, scene: &Scene<'a>) {
    let (ada, ben, room) = (&scene.ada, &scene.ben, scene.room.as_str());
    let wish = json!({ "url": "https://example.com/in", "rooms": [room] });
    rows.ask(ben, "POST /v1/webhooks", &[], wish.clone(), 403)
        .await;
    let nowhere = json!({ "url": "https://example.com/in", "rooms": [NOWHERE] });
    rows.ask(ada, "POST /v1/webhooks", &[], nowhere, 404).await;
    let made = rows
        .ask(ada, "POST /v1/webhooks", &[], wish.clone(), 201)
        .await;
    let webhook = text(&made["id"]);
    for _ in 1..50 {
        rows.ask(ada, "POST /v1/webhooks", &[], wish.clone(), 201)
            .await;
    }
    rows.ask(ada, "POST /v1/webhooks", &[], wish, 409).await;
    rows.ask(ada, "GET /v1/webhooks", &[], NOTHING, 200).await;
    rows.ask(
        ben,
        &format!("GET /v1/webhooks?room={room}"),
        &[],
        NOTHING,
        403,
    )
    .await;
    rows.ask(
        ada,
        &format!("GET /v1/webhooks?room={NOWHERE}"),
        &[],
        NOTHING,
        404,
    )
    .await;
    rows.ask(ada, "GET /v1/webhooks/{webhook}", &[&webhook], NOTHING, 200)
        .await;
    rows.ask(
        ada,
        "PATCH /v1/webhooks/{webhook}",
        &[&webhook],
        json!({ "enabled": false }),
        200,
    )
    .await;
    rows.ask(
        ada,
        "POST /v1/webhooks/{webhook}/replay",
        &[&webhook],
        json!({ "room": room, "after": 0 }),
        200,
    )
    .await;
    rows.ask(
        ada,
        "DELETE /v1/webhooks/{webhook}",
        &[&webhook],
        NOTHING,
        204,
    )
    .await;

    let wish = json!({ "name": "Builds" });
    let hook = rows
        .ask(
            ada,
            "POST /v1/rooms/{room}/hooks",
            &[room],
            wish.clone(),
            201,
        )
        .await;
    // Its bot needs a place.
    let places = async |rows: &mut Rows<'a>, members: u32| {
        let wish = json!({ "max_members": members });
        rows.ask(ada, "PATCH /v1/rooms/{room}", &[room], wish, 200)
            .await;
    };
    places(rows, 3).await;
    rows.ask(ada, "POST /v1/rooms/{room}/hooks", &[room], wish, 409)
        .await;
    places(rows, 9).await;
    rows.ask(ada, "GET /v1/rooms/{room}/hooks", &[room], NOTHING, 200)
        .await;
    let url = text(&hook["url"]);
    let token = url.rsplit('/').next().unwrap();
    let said = json!({ "body": "Build 7 is green", "client_id": "7" });
    rows.ask_openly("POST /v1/hooks/{token}", &[token], said.clone(), 201)
        .await;
    rows.ask_openly("POST /v1/hooks/{token}", &[token], said.clone(), 200)
        .await;
    rows.ask_openly("POST /v1/hooks/{token}", &["nothing"], said.clone(), 404)
        .await;
    archived(rows, ada, room, token).await;
    rows.ask(
        ada,
        "DELETE /v1/rooms/{room}/hooks/{hook}",
        &[room, &text(&hook["id"])],
        NOTHING,
        204,
    )
    .await;
}

/// Who has a hook's url may write as long as the room may be written.
async fn archived<'a>(rows: &mut Rows<'a>, ada: &Person<'a>, room: &str, token: &str) {
    rows.ask(
        ada,
        "PATCH /v1/rooms/{room}",
        &[room],
        json!({ "archived": true }),
        200,
    )
    .await;
    rows.ask_openly(
        "POST /v1/hooks/{token}",
        &[token],
        json!({ "body": "late" }),
        403,
    )
    .await;
    rows.ask(
        ada,
        "PATCH /v1/rooms/{room}",
        &[room],
        json!({ "archived": false }),
        200,
    )
    .await;
}

async fn administration<'a>(rows: &mut Rows<'a>, scene: &Scene<'a>) {
    let (root, ada, eve, room) = (&scene.root, &scene.ada, &scene.eve, scene.room.as_str());
    for row in ["audit", "nodes", "reports", "rooms", "storage", "users"] {
        let row = format!("GET /v1/admin/{row}");
        rows.ask(root, &row, &[], NOTHING, 200).await;
        rows.ask(ada, &row, &[], NOTHING, 403).await;
    }
    rows.ask(root, "GET /v1/admin/users/{user}", &[&eve.id], NOTHING, 200)
        .await;
    rows.ask(ada, "GET /v1/admin/users/{user}", &[&eve.id], NOTHING, 403)
        .await;
    let change = "PATCH /v1/admin/users/{user}";
    let rowdy = rows.server().register("rowdy").await;
    rows.ask(
        root,
        change,
        &[&rowdy.id],
        json!({ "suspended": true }),
        200,
    )
    .await;
    let login = json!({ "login": "rowdy", "password": crate::server::PASSWORD });
    rows.ask_openly("POST /v1/auth/login", &[], login, 403)
        .await;
    let forgetful = rows.server().register("forgetful").await;
    rows.ask(
        root,
        "POST /v1/admin/users/{user}/reset",
        &[&forgetful.id],
        NOTHING,
        200,
    )
    .await;
    rows.ask(
        root,
        "PATCH /v1/admin/rooms/{room}",
        &[room],
        json!({ "archived": false }),
        200,
    )
    .await;
    let reports = rows
        .ask(root, "GET /v1/admin/reports", &[], NOTHING, 200)
        .await;
    let report = text(&reports["reports"][0]["id"]);
    let change = "PATCH /v1/admin/reports/{report}";
    let open = json!({ "state": "open" });
    let mut closed = reports["reports"].as_array().unwrap().iter();
    let closed = closed.rfind(|report| report["state"] != "open");
    let closed = text(&closed.unwrap()["id"]);
    rows.ask(root, change, &[&closed], open, 409).await;
    rows.ask(
        root,
        "PATCH /v1/admin/reports/{report}",
        &[&report],
        json!({ "state": "dismissed" }),
        200,
    )
    .await;
    let passing = text(
        &rows
            .ask(
                ada,
                "POST /v1/rooms",
                &[],
                json!({ "name": "Unwanted" }),
                201,
            )
            .await["id"],
    );
    rows.ask(
        root,
        "DELETE /v1/admin/rooms/{room}",
        &[&passing],
        NOTHING,
        204,
    )
    .await;
    let direct = rows
        .ask(
            ada,
            "POST /v1/dms",
            &[],
            json!({ "user_ids": [scene.ben.id] }),
            200,
        )
        .await;
    let owner = json!({ "owner": scene.ben.id });
    let change = "PATCH /v1/admin/rooms/{room}";
    rows.ask(root, change, &[&text(&direct["id"])], owner, 409)
        .await;
    rows.ask(
        root,
        "DELETE /v1/admin/rooms/{room}",
        &[&text(&direct["id"])],
        NOTHING,
        409,
    )
    .await;
    rows.ask(ada, "POST /v1/socket", &[], empty(), 201).await;
}
