//! A conversation over HTTP alone, as any front hands it to a function.

use anyhow::{Context as _, Result, ensure};
use e2e::unique;
use serde_json::{Value, json};

use crate::event::{Answer, Front, Request};

const PASSWORD: &str = "plain sailing 1843";

/// A first conversation without sockets.
pub(crate) async fn converse(
    front: Front,
    call: impl AsyncFn(Value) -> Result<Value>,
) -> Result<()> {
    let ask = async |request: Request<'_>, expected: u64| {
        let what = format!("{} {}", request.method, request.path);
        let answer = Answer::read(front, &call(request.event(front)).await?)?;
        ensure!(
            answer.status == expected,
            "{what}: {} {}",
            answer.status,
            answer.json()
        );
        Ok(answer)
    };
    let name = unique("guest");
    let account =
        json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
    let register = Request {
        method: "POST",
        path: "/v1/auth/register",
        body: Some(account),
        ..Request::default()
    };
    ask(register.clone(), 201).await?;
    let same_name = json!({"username": name, "email": format!("other.{name}@example.com"), "password": PASSWORD});
    let taken = ask(
        Request {
            body: Some(same_name),
            binary: true,
            ..register.clone()
        },
        409,
    )
    .await?;
    assert_eq!(taken.json()["error"]["code"], "username_taken");
    let short = json!({"username": "x", "email": "nowhere", "password": "short"});
    let refused = ask(
        Request {
            body: Some(short),
            ..register
        },
        422,
    )
    .await?;
    let fields = refused.json()["error"]["fields"].clone();
    assert_eq!(
        fields.as_object().map(serde_json::Map::len),
        Some(3),
        "{fields}"
    );

    let login = Request {
        method: "POST",
        path: "/v1/auth/login",
        body: Some(json!({"login": name, "password": PASSWORD})),
        ..Request::default()
    };
    let signed_in = ask(login.clone(), 200).await?.json();
    let token = signed_in["access_token"].as_str();
    let room_name = format!("Tea & milk + {name}");
    let new_room = json!({"name": room_name});
    let get = Request {
        method: "GET",
        token,
        ..Request::default()
    };
    let put_in = Request {
        method: "POST",
        token,
        ..Request::default()
    };
    let room = ask(
        Request {
            path: "/v1/rooms",
            body: Some(new_room),
            binary: true,
            ..put_in.clone()
        },
        201,
    )
    .await?
    .json();
    let room = room["id"].as_str().context("a room has an id")?;

    // A query means what it meant to the client.
    let search = [("query", room_name.as_str()), ("limit", "1")];
    let found = ask(
        Request {
            path: "/v1/rooms",
            query: &search,
            ..get.clone()
        },
        200,
    )
    .await?
    .json();
    assert_eq!(found["rooms"][0]["id"], room, "{found}");

    let members = format!("/v1/rooms/{room}/members");
    let joined = Request {
        path: &members,
        body: Some(json!({})),
        ..put_in.clone()
    };
    ask(joined, 200)
        .await
        .context("its owner is a member already")?;
    let messages = format!("/v1/rooms/{room}/messages");
    let message = json!({"body": "Milk first? ☕", "client_id": "one"});
    let sent = ask(
        Request {
            path: &messages,
            body: Some(message.clone()),
            ..put_in.clone()
        },
        201,
    )
    .await?
    .json();
    assert_eq!(sent["body"], "Milk first? ☕");
    let again = ask(
        Request {
            path: &messages,
            body: Some(message),
            ..put_in
        },
        200,
    )
    .await?
    .json();
    assert_eq!(
        (&again["seq"], &again["duplicate"]),
        (&sent["seq"], &json!(true))
    );
    let history = ask(
        Request {
            path: &messages,
            query: &[("after", "0"), ("limit", "9")],
            ..get.clone()
        },
        200,
    )
    .await?
    .json();
    assert_eq!(history["messages"][0]["body"], "Milk first? ☕");
    assert_eq!(history["messages"].as_array().map(Vec::len), Some(1));

    // The address is the one that the front saw.
    let sessions = ask(
        Request {
            path: "/v1/auth/sessions",
            ..get.clone()
        },
        200,
    )
    .await?
    .json();
    let mut seen = sessions["sessions"].as_array().into_iter().flatten();
    assert!(
        seen.all(|session| session["ip"] == front.client()),
        "{sessions}"
    );

    // Sockets are elsewhere, and only the way to them is here.
    for path in ["/v1/nowhere", "/v1/socket"] {
        let missing = ask(
            Request {
                path,
                ..get.clone()
            },
            404,
        )
        .await?;
        assert_eq!(missing.json()["error"]["code"], "not_found");
    }
    keep_in_cookies(&ask, login).await?;

    // Text travels as text, and what is none as base64.
    let api = ask(
        Request {
            path: "/v1/openapi.json",
            ..get.clone()
        },
        200,
    )
    .await?;
    assert!(!api.binary && api.json()["openapi"].is_string());
    let icon = ask(
        Request {
            path: "/docs/favicon-32x32.png",
            ..get
        },
        200,
    )
    .await?;
    assert!(icon.binary && icon.bytes.starts_with(b"\x89PNG"));
    Ok(())
}

/// Cookies come one by one, go back together, and say who somebody is.
async fn keep_in_cookies(
    ask: impl AsyncFn(Request<'_>, u64) -> Result<Answer>,
    login: Request<'_>,
) -> Result<()> {
    let signed_in = ask(
        Request {
            query: &[("cookie", "true")],
            ..login
        },
        200,
    )
    .await?;
    assert_eq!(signed_in.json()["access_token"], Value::Null);
    assert_eq!(signed_in.cookies.len(), 2, "{:?}", signed_in.cookies);
    let is_kept = |cookie: &String| cookie.contains("; HttpOnly; Secure; ");
    assert!(
        signed_in.cookies.iter().all(is_kept),
        "{:?}",
        signed_in.cookies
    );
    let pairs = signed_in
        .cookies
        .iter()
        .filter_map(|cookie| cookie.split(';').next());
    let mut cookies: Vec<String> = pairs.map(str::to_owned).collect();
    cookies.insert(0, "theme=dark".to_owned());
    let me = Request {
        method: "GET",
        path: "/v1/users/me",
        cookies: &cookies,
        ..Request::default()
    };
    ask(me, 200).await?;
    Ok(())
}
