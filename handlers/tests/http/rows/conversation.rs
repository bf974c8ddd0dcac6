//! What is said in a room, and what is put on it.

use image::ImageFormat;
use serde_json::json;

use super::{NOTHING, NOWHERE, Rows, empty, text};
use crate::{
    files::{picture, upload},
    server::Person,
};

pub(super) async fn messages(rows: &mut Rows<'_>, ada: &Person<'_>, ben: &Person<'_>, room: &str) {
    let messages = "POST /v1/rooms/{room}/messages";
    let said = json!({ "body": "tea?", "client_id": "1" });
    let seq = rows.ask(ada, messages, &[room], said.clone(), 201).await["seq"].to_string();
    rows.ask(ada, messages, &[room], said, 200).await;
    let at = [room, &seq];
    for row in [
        "GET /v1/rooms/{room}/messages?limit=1",
        "GET /v1/rooms/{room}/events?after=1",
        "GET /v1/rooms/{room}/receipts?seq=1",
    ] {
        rows.ask(ben, row, &[room], NOTHING, 200).await;
    }
    for row in [
        "GET /v1/rooms/{room}/messages/{seq}",
        "GET /v1/rooms/{room}/messages/{seq}/history",
    ] {
        rows.ask(ben, row, &at, NOTHING, 200).await;
    }
    rows.ask(
        ada,
        "PATCH /v1/rooms/{room}/messages/{seq}",
        &at,
        json!({ "body": "tea!" }),
        200,
    )
    .await;
    rows.ask(
        ben,
        "PUT /v1/rooms/{room}/read",
        &[room],
        json!({ "seq": 1 }),
        204,
    )
    .await;
    rows.ask(ben, "GET /v1/search?q=tea", &[], NOTHING, 200)
        .await;
    let elsewhere = format!("GET /v1/search?q=tea&room={NOWHERE}");
    rows.ask(ben, &elsewhere, &[], NOTHING, 404).await;

    for emoji in 0..50 {
        let emoji: String = char::from_u32(0x1f600 + emoji)
            .unwrap()
            .to_string()
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        rows.ask(
            ben,
            "PUT /v1/rooms/{room}/messages/{seq}/reactions/{emoji}",
            &[room, &seq, &emoji],
            NOTHING,
            204,
        )
        .await;
    }
    let tea = "%F0%9F%8D%B5";
    rows.ask(
        ben,
        "PUT /v1/rooms/{room}/messages/{seq}/reactions/{emoji}",
        &[room, &seq, tea],
        NOTHING,
        409,
    )
    .await;
    rows.ask(
        ben,
        "DELETE /v1/rooms/{room}/messages/{seq}/reactions/{emoji}",
        &[room, &seq, tea],
        NOTHING,
        204,
    )
    .await;

    let mut latest = seq.clone();
    for _ in 0..50 {
        rows.ask(
            ben,
            "PUT /v1/rooms/{room}/messages/{seq}/pin",
            &[room, &latest],
            NOTHING,
            204,
        )
        .await;
        latest = rows
            .ask(ada, messages, &[room], json!({ "body": "more" }), 201)
            .await["seq"]
            .to_string();
    }
    rows.ask(
        ben,
        "PUT /v1/rooms/{room}/messages/{seq}/pin",
        &[room, &latest],
        NOTHING,
        409,
    )
    .await;
    rows.ask(ben, "GET /v1/rooms/{room}/pins", &[room], NOTHING, 200)
        .await;
    rows.ask(
        ben,
        "DELETE /v1/rooms/{room}/messages/{seq}/pin",
        &at,
        NOTHING,
        204,
    )
    .await;

    let report = "POST /v1/rooms/{room}/messages/{seq}/report";
    let spam = json!({ "reason": "spam" });
    let reported = rows.ask(ben, report, &at, spam.clone(), 201).await;
    rows.ask(ben, report, &at, spam.clone(), 200).await;
    rows.ask(ada, report, &at, spam.clone(), 409).await;
    rows.ask(ben, "GET /v1/rooms/{room}/reports", &[room], NOTHING, 200)
        .await;
    let close = "PATCH /v1/rooms/{room}/reports/{report}";
    rows.ask(
        ben,
        close,
        &[room, &text(&reported["id"])],
        json!({ "state": "resolved" }),
        200,
    )
    .await;
    // The same is reported again, so the first is not opened once more.
    rows.ask(ben, report, &at, spam, 201).await;
    let again = [room, &text(&reported["id"])];
    let open = json!({ "state": "open" });
    rows.ask(ben, close, &again, open, 409).await;
    rows.ask(
        ada,
        "DELETE /v1/rooms/{room}/messages/{seq}",
        &[room, &latest],
        NOTHING,
        204,
    )
    .await;
}

pub(super) async fn files<'a>(
    rows: &mut Rows<'a>,
    ada: &Person<'a>,
    ben: &Person<'a>,
    eve: &Person<'a>,
    private: &str,
) {
    let room = format!("/v1/rooms/{private}");
    let up = "POST /v1/rooms/{room}/files";
    let picture = picture(ImageFormat::Png);
    let file = text(
        &rows
            .note(up, upload(ada, &room, "a.png", &picture), 201)
            .await
            .json["id"],
    );
    rows.note(
        up,
        ada.post(format!("{room}/files"))
            .body("multipart/form-data; boundary=x", "--x"),
        400,
    )
    .await;
    rows.note(
        up,
        ada.post(format!("{room}/files")).json(json!({ "file": 1 })),
        415,
    )
    .await;
    let sent = json!({ "files": [file] });
    rows.ask(ada, "POST /v1/rooms/{room}/messages", &[private], sent, 201)
        .await;
    for row in ["GET /v1/files/{file}", "GET /v1/files/{file}/thumbnail"] {
        let path = row.trim_start_matches("GET ").replace("{file}", &file);
        let whole = rows.note(row, ada.get(&path), 200).await;
        rows.note(
            row,
            ada.get(&path).header("if-none-match", whole.header("etag")),
            304,
        )
        .await;
        rows.ask(eve, row, &[&file], NOTHING, 403).await;
    }
    let whole = "GET /v1/files/{file}";
    let path = format!("/v1/files/{file}");
    rows.note(whole, ada.get(&path).header("range", "bytes=0-9"), 206)
        .await;
    rows.note(
        whole,
        ada.get(&path).header("range", "bytes=99999999-"),
        416,
    )
    .await;
    rows.ask(ben, "POST /v1/socket", &[], empty(), 201).await;
}
