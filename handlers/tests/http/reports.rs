//! Reporting messages, and what moderators and server admins do about it.

use protocol::ErrorCode;
use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn a_reported_message_comes_before_the_moderators_with_what_it_said() {
    for server in Server::each_with(|settings| settings.admins = vec!["root1".to_owned()]).await {
        let ada = server.register("ada").await;
        let (bob, eve) = (server.register("bob").await, server.register("eve").await);
        let stranger = server.register("stranger").await;
        let root = server.register("root1").await;
        let room = ada.room(json!({ "name": "Tea" })).await;
        bob.join(&room).await;
        eve.join(&room).await;
        let seq = eve.say(&room, "buy my tea").await;
        let path = format!("{room}/messages/{seq}/report");

        let body = json!({ "reason": "spam", "note": "every day" });
        let report = bob
            .post(&path)
            .json(body.clone())
            .await_status(201)
            .await
            .json;
        assert_eq!(
            (
                &report["body"],
                &report["state"],
                &report["sender"]["username"]
            ),
            (&json!("buy my tea"), &json!("open"), &json!("eve"))
        );
        let again = bob.post(&path).json(body.clone()).await_status(200).await;
        assert_eq!(again.json, report, "one complaint is one report");
        eve.post(&path)
            .json(body.clone())
            .refused(ErrorCode::Conflict)
            .await;
        stranger
            .post(&path)
            .json(body.clone())
            .refused(ErrorCode::NotAMember)
            .await;
        let nowhere = format!("{room}/messages/99/report");
        bob.post(nowhere)
            .json(body.clone())
            .refused(ErrorCode::MessageNotFound)
            .await;
        let wrong = bob
            .post(&path)
            .json(json!({ "reason": "boring" }))
            .answer()
            .await;
        assert_eq!(wrong.violations("reason"), json!(["invalid"]));

        // An edit takes nothing away.
        eve.patch(format!("{room}/messages/{seq}"))
            .json(json!({ "body": "hello" }))
            .await_status(200)
            .await;
        let list = format!("{room}/reports");
        bob.get(&list).refused(ErrorCode::Forbidden).await;
        let told = ada
            .get(format!("{list}?state=open"))
            .await_status(200)
            .await
            .json;
        assert_eq!(told["reports"], json!([report]));
        assert_eq!(
            root.get("/v1/admin/reports").await_status(200).await.json,
            told
        );
        ada.get("/v1/admin/reports")
            .refused(ErrorCode::Forbidden)
            .await;

        let id = report["id"].as_str().unwrap();
        let one = format!("{list}/{id}");
        let resolved = json!({ "state": "resolved" });
        bob.patch(&one)
            .json(resolved.clone())
            .refused(ErrorCode::Forbidden)
            .await;
        let closed = ada.patch(&one).json(resolved).await_status(200).await.json;
        assert_eq!(
            (&closed["state"], &closed["closed_by"]),
            (&json!("resolved"), &json!(ada.id))
        );
        let open = ada
            .get(format!("{list}?state=open"))
            .await_status(200)
            .await;
        assert_eq!(open.json["reports"], json!([]));
        let missing = format!("{list}/{}", ada.id);
        ada.patch(missing)
            .json(json!({ "state": "open" }))
            .refused(ErrorCode::ReportNotFound)
            .await;

        // A delete does, wherever the text was.
        eve.delete(format!("{room}/messages/{seq}"))
            .await_status(204)
            .await;
        let told = ada.get(&list).await_status(200).await.json;
        assert_eq!(told["reports"][0].get("body"), None, "{told}");
        let audit = root
            .get("/v1/admin/audit?action=message_report")
            .await_status(200)
            .await
            .json;
        assert_eq!(audit["entries"][0]["actor"], json!(bob.id));
        assert!(!audit.to_string().contains("buy my tea"));
    }
}

#[tokio::test]
async fn nobody_closes_what_was_reported_of_them_and_conversations_are_for_server_admins() {
    for server in Server::each_with(|settings| settings.admins = vec!["root1".to_owned()]).await {
        let ada = server.register("ada").await;
        let (bob, root) = (server.register("bob").await, server.register("root1").await);
        let room = ada.room(json!({ "name": "Tea" })).await;
        bob.join(&room).await;
        ada.patch(format!("{room}/members/{}", bob.id))
            .json(json!({ "role": "moderator" }))
            .await_status(200)
            .await;
        let seq = bob.say(&room, "you are all fools").await;
        let report = ada
            .post(format!("{room}/messages/{seq}/report"))
            .json(json!({ "reason": "harassment" }))
            .await_status(201)
            .await
            .json;
        let one = format!("{room}/reports/{}", report["id"].as_str().unwrap());
        let dismissed = json!({ "state": "dismissed" });
        bob.patch(&one)
            .json(dismissed.clone())
            .refused(ErrorCode::Forbidden)
            .await;
        ada.patch(&one)
            .json(dismissed.clone())
            .await_status(200)
            .await;

        let direct = ada
            .post("/v1/dms")
            .json(json!({ "user_ids": [bob.id] }))
            .await_status(201)
            .await;
        let direct = format!("/v1/rooms/{}", direct.json["id"].as_str().unwrap());
        let seq = bob.say(&direct, "psst").await;
        let report = ada
            .post(format!("{direct}/messages/{seq}/report"))
            .json(json!({ "reason": "other" }))
            .await_status(201)
            .await
            .json;
        ada.get(format!("{direct}/reports"))
            .refused(ErrorCode::Forbidden)
            .await;
        let id = direct.trim_start_matches("/v1/rooms/");
        let seen = root
            .get(format!("/v1/admin/reports?room={id}"))
            .await_status(200)
            .await;
        assert_eq!(seen.json["reports"], json!([report]));
        let one = format!("/v1/admin/reports/{}", report["id"].as_str().unwrap());
        root.patch(one).json(dismissed).await_status(200).await;
        let first = root
            .get("/v1/admin/reports?limit=1")
            .await_status(200)
            .await
            .json;
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = root
            .get(format!("/v1/admin/reports?limit=1&cursor={cursor}"))
            .await_status(200)
            .await
            .json;
        assert_ne!(first["reports"], second["reports"]);
        assert_eq!(second.get("next_cursor"), None);
    }
}
