//! Accounts: coming in, by password, mail and codes, and going.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use super::{NOTHING, Rows, empty, text};
use crate::{
    mail::{mailed, token},
    server::{PASSWORD, Person, registration},
    totp::code,
};

/// The server admin, and three people.
pub(super) async fn run<'a>(rows: &mut Rows<'a>, mail: &Path) -> [Person<'a>; 4] {
    let server = rows.server();
    for row in ["GET /livez", "GET /readyz", "GET /.well-known/jwks.json"] {
        rows.ask_openly(row, &[], NOTHING, 200).await;
    }
    let mut people = Vec::new();
    for name in ["root1", "ada", "ben", "eve"] {
        let made = rows
            .ask_openly("POST /v1/auth/register", &[], registration(name), 201)
            .await;
        people.push(Person::of(server, &made));
    }
    let [root, mut ada, ben, eve]: [Person<'a>; 4] = people.try_into().ok().unwrap();
    rows.ask_openly("POST /v1/auth/register", &[], registration("ada"), 409)
        .await;
    let login = |password: &str| json!({ "login": "ada", "password": password });
    rows.ask_openly("POST /v1/auth/login", &[], login("wrong password"), 401)
        .await;

    // Mail.
    let mails = mailed(server, mail).await;
    let verify = mails
        .iter()
        .find(|(to, _)| to == "ada@example.com")
        .map(|(_, text)| token(text, "verify"))
        .unwrap();
    rows.ask(&ada, "POST /v1/auth/verify/resend", &[], NOTHING, 202)
        .await;
    rows.ask_openly("POST /v1/auth/verify", &[], json!({ "token": verify }), 204)
        .await;
    rows.ask_openly("POST /v1/auth/verify", &[], json!({ "token": verify }), 404)
        .await;
    rows.ask(&ada, "POST /v1/auth/verify/resend", &[], NOTHING, 409)
        .await;
    mailed(server, mail).await;
    rows.ask_openly("POST /v1/auth/reset", &[], json!({ "login": "ada" }), 202)
        .await;
    let reset = token(&mailed(server, mail).await[0].1, "reset");
    let confirm = json!({ "token": reset, "new": PASSWORD });
    rows.ask_openly("POST /v1/auth/reset/confirm", &[], confirm.clone(), 204)
        .await;
    rows.ask_openly("POST /v1/auth/reset/confirm", &[], confirm, 404)
        .await;

    // Sessions.
    let signed_in = rows
        .ask_openly("POST /v1/auth/login", &[], login(PASSWORD), 200)
        .await;
    let old = json!({ "refresh_token": signed_in["refresh_token"] });
    ada = Person::of(
        server,
        &rows
            .ask_openly("POST /v1/auth/refresh", &[], old, 200)
            .await,
    );
    rows.ask_openly(
        "POST /v1/auth/refresh",
        &[],
        json!({ "refresh_token": "nothing" }),
        401,
    )
    .await;
    let other = server.log_in("ada").await;
    let sessions = rows
        .ask(&other, "GET /v1/auth/sessions", &[], NOTHING, 200)
        .await;
    let is_other = |session: &&Value| session["current"] == true;
    let other = text(
        &sessions["sessions"]
            .as_array()
            .unwrap()
            .iter()
            .find(is_other)
            .unwrap()["id"],
    );
    rows.ask(
        &ada,
        "DELETE /v1/auth/sessions/{session}",
        &[&other],
        NOTHING,
        204,
    )
    .await;
    rows.ask(&ada, "DELETE /v1/auth/sessions", &[], NOTHING, 204)
        .await;
    rows.ask(
        &server.log_in("ada").await,
        "POST /v1/auth/logout",
        &[],
        NOTHING,
        204,
    )
    .await;
    let passwords = |current: &str| json!({ "current": current, "new": PASSWORD });
    rows.ask(
        &ada,
        "POST /v1/auth/password",
        &[],
        passwords("wrong password"),
        401,
    )
    .await;
    rows.ask(
        &ada,
        "POST /v1/auth/password",
        &[],
        passwords(PASSWORD),
        204,
    )
    .await;
    cookies(rows).await;

    // Oneself and others.
    rows.ask(&ada, "GET /v1/users/me", &[], NOTHING, 200).await;
    rows.ask(
        &ada,
        "PATCH /v1/users/me",
        &[],
        json!({ "bio": "tea" }),
        200,
    )
    .await;
    rows.ask(
        &ada,
        "PATCH /v1/users/me",
        &[],
        json!({ "email": "ben@example.com", "password": PASSWORD }),
        409,
    )
    .await;
    rows.ask(&ada, "GET /v1/users?query=be", &[], NOTHING, 200)
        .await;
    rows.ask(&ada, "GET /v1/users/{user}", &[&ben.id], NOTHING, 200)
        .await;
    rows.ask(&ada, "GET /v1/users/me/blocks", &[], NOTHING, 200)
        .await;
    rows.ask(
        &ada,
        "PUT /v1/users/me/blocks/{user}",
        &[&ada.id],
        NOTHING,
        409,
    )
    .await;
    for (row, status) in [
        ("PUT /v1/users/me/blocks/{user}", 204),
        ("DELETE /v1/users/me/blocks/{user}", 204),
    ] {
        rows.ask(&ada, row, &[&eve.id], NOTHING, status).await;
    }
    rows.ask(&ada, "GET /v1/users/me/export", &[], NOTHING, 200)
        .await;
    identities(rows, &ada).await;
    codes(rows, &ada).await;
    let gone = server.register("gone").await;
    rows.ask(
        &gone,
        "DELETE /v1/users/me",
        &[],
        json!({ "password": "wrong password" }),
        401,
    )
    .await;
    rows.ask(
        &gone,
        "DELETE /v1/users/me",
        &[],
        json!({ "password": PASSWORD }),
        202,
    )
    .await;
    [root, ada, ben, eve]
}

/// What other sites may not do with cookies, also before anybody is logged in.
async fn cookies(rows: &mut Rows<'_>) {
    let server = rows.server();
    let signed_in = server
        .post("/v1/auth/login")
        .json(json!({ "login": "ben", "password": PASSWORD }));
    let signed_in = signed_in.await_status(200).await.json;
    let own = server.get("/v1/auth/csrf").header(
        "cookie",
        &format!("chatx_access={}", text(&signed_in["access_token"])),
    );
    rows.note("GET /v1/auth/csrf", own, 200).await;
    let refresh = format!("chatx_refresh={}", text(&signed_in["refresh_token"]));
    let elsewhere = "https://elsewhere.example";
    let asks = [
        ("POST /v1/auth/register", registration("zed")),
        (
            "POST /v1/auth/login",
            json!({ "login": "ben", "password": PASSWORD }),
        ),
        ("POST /v1/auth/refresh", empty()),
    ];
    for (row, body) in asks {
        let path = format!("{}?cookie=true", row.trim_start_matches("POST "));
        let ask = server
            .post(path)
            .json(body)
            .header("origin", elsewhere)
            .header("cookie", &refresh);
        rows.note(row, ask, 403).await;
    }
}

/// A provider that cannot be asked: the way there leads back.
async fn identities(rows: &mut Rows<'_>, ada: &Person<'_>) {
    let server = rows.server();
    for (row, path) in [
        ("GET /v1/auth/oidc/{provider}", "/v1/auth/oidc/away"),
        (
            "GET /v1/auth/oidc/{provider}/callback",
            "/v1/auth/oidc/away/callback?code=1",
        ),
    ] {
        rows.note(row, server.get(path), 303).await;
    }
    rows.ask_openly("GET /v1/auth/providers", &[], NOTHING, 200)
        .await;
    rows.ask(ada, "GET /v1/users/me/identities", &[], NOTHING, 200)
        .await;
    let unknown = json!({ "provider": "nothing", "password": PASSWORD });
    rows.ask(ada, "POST /v1/users/me/identities", &[], unknown, 404)
        .await;
}

/// Codes at login.
async fn codes(rows: &mut Rows<'_>, ada: &Person<'_>) {
    const STEP: Duration = Duration::from_secs(30);
    let server = rows.server();
    let confirm = "POST /v1/users/me/totp/confirm";
    rows.ask(ada, confirm, &[], json!({ "code": "000000" }), 409)
        .await;
    for row in ["POST /v1/users/me/totp/codes", "DELETE /v1/users/me/totp"] {
        rows.ask(ada, row, &[], json!({ "totp": "000000" }), 409)
            .await;
    }
    rows.ask(
        ada,
        "POST /v1/users/me/totp",
        &[],
        json!({ "password": "wrong password" }),
        401,
    )
    .await;
    let begun = rows
        .ask(
            ada,
            "POST /v1/users/me/totp",
            &[],
            json!({ "password": PASSWORD }),
            201,
        )
        .await;
    let secret = text(&begun["secret"]);
    rows.ask(
        ada,
        confirm,
        &[],
        json!({ "code": code(server, &secret) }),
        200,
    )
    .await;
    rows.ask(
        ada,
        "POST /v1/users/me/totp",
        &[],
        json!({ "password": PASSWORD }),
        409,
    )
    .await;
    for (row, status) in [
        ("POST /v1/users/me/totp/codes", 200),
        ("DELETE /v1/users/me/totp", 204),
    ] {
        rows.ask(ada, row, &[], json!({ "totp": "aaaaa-aaaaa" }), 401)
            .await;
        server.advance(STEP);
        rows.ask(
            ada,
            row,
            &[],
            json!({ "totp": code(server, &secret) }),
            status,
        )
        .await;
    }
}
