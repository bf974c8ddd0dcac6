//! Files: who may read one, how it is handed out, and what becomes of it.

use std::{io::Cursor, path::Path, time::Duration};

use http::Method;
use image::{DynamicImage, ImageFormat};
use protocol::ErrorCode;
use serde_json::{Value, json};
use shared::Settings;
use testkit::{Ca, S3};

use crate::server::{Answer, Ask, Person, Server};

const UNSENT_MAX: Duration = Duration::from_secs(12 * 3_600);

/// An upload of `bytes` under a name.
pub(crate) fn upload<'a>(person: &Person<'a>, room: &str, name: &str, bytes: &[u8]) -> Ask<'a> {
    let head = format!(
        "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         content-type: text/html\r\n\r\n"
    );
    let form = [head.as_bytes(), bytes, b"\r\n--x--\r\n"].concat();
    person
        .post(format!("{room}/files"))
        .body("multipart/form-data; boundary=x", form)
}

async fn uploaded(person: &Person<'_>, room: &str, name: &str, bytes: &[u8]) -> Value {
    upload(person, room, name, bytes)
        .await_status(201)
        .await
        .json
}

/// Sends a message with files, and answers it.
async fn attach<'a>(person: &Person<'a>, room: &str, body: Value) -> Ask<'a> {
    person.post(format!("{room}/messages")).json(body)
}

fn path(file: &Value) -> String {
    format!("/v1/files/{}", file["id"].as_str().unwrap())
}

pub(crate) fn picture(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    let image = DynamicImage::new_rgb8(800, 600);
    image
        .write_to(&mut Cursor::new(&mut bytes), format)
        .unwrap();
    bytes
}

/// What lies in the directory of files.
fn kept(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { kept(&path) } else { 1 })
        .sum()
}

fn is_bare(answer: &Answer) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("sandbox"),
        "{policy}"
    );
    assert_eq!(answer.header("cache-control"), "private, no-cache");
}

#[tokio::test]
async fn a_file_goes_from_its_uploader_to_a_message_and_away_with_it() {
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let room = ada
            .room(json!({ "name": "tea", "visibility": "public" }))
            .await;
        let other = ada
            .room(json!({ "name": "coffee", "visibility": "public" }))
            .await;
        bob.join(&room).await;

        let text = uploaded(&ada, &room, "../T\u{fc}r \"1\".txt", "Tee?".as_bytes()).await;
        assert_eq!(text["mime"], "text/plain", "by its content");
        assert_eq!((&text["size"], text.get("width")), (&json!(4), None));
        let image = uploaded(&ada, &room, "a.png", &picture(ImageFormat::Png)).await;
        assert_eq!(
            (&image["width"], &image["height"]),
            (&json!(800), &json!(600))
        );

        // Before a message takes it, it is its uploader's alone.
        ada.get(path(&text)).await_status(200).await;
        bob.get(path(&text)).refused(ErrorCode::FileNotFound).await;
        let files = json!([image["id"], text["id"]]);
        let taken = json!({ "body": "look", "client_id": "1", "files": files });
        attach(&bob, &room, taken.clone())
            .await
            .refused(ErrorCode::FileNotFound)
            .await;
        attach(&ada, &other, taken.clone())
            .await
            .refused(ErrorCode::FileNotFound)
            .await;
        let head = |answer: &Answer| answer.json["head"].clone();
        let before = ada.get(&*room).await_status(200).await;

        let sent = attach(&ada, &room, taken.clone())
            .await
            .await_status(201)
            .await;
        assert_eq!(sent.json["files"], json!([image, text]), "in their order");
        let after = ada.get(&*room).await_status(200).await;
        assert_eq!(
            head(&after).as_u64(),
            head(&before).as_u64().map(|head| head + 1)
        );
        // Sent again it is the same message; a second one finds nothing to take.
        let again = attach(&ada, &room, taken).await.await_status(200).await;
        assert_eq!(again.json["files"], sent.json["files"]);
        let twice = json!({ "files": [image["id"]] });
        attach(&ada, &room, twice)
            .await
            .refused(ErrorCode::FileNotFound)
            .await;
        // What is refused takes nothing.
        let more = uploaded(&ada, &room, "b.txt", b"more").await;
        let half = json!({ "files": [more["id"], text["id"]] });
        attach(&ada, &room, half)
            .await
            .refused(ErrorCode::FileNotFound)
            .await;
        let alone = json!({ "files": [more["id"]] });
        let alone = attach(&ada, &room, alone).await.await_status(201).await;
        assert_eq!(
            (&alone.json["body"], &alone.json["files"]),
            (&json!(""), &json!([more]))
        );

        // It is read wherever messages are, and an edit leaves it.
        let seq = sent.json["seq"].as_u64().unwrap();
        let message = format!("{room}/messages/{seq}");
        ada.patch(&*message)
            .json(json!({ "body": "look, @bob" }))
            .await_status(200)
            .await;
        let read = bob.get(&*message).await_status(200).await;
        assert_eq!(read.json["files"], sent.json["files"]);
        assert_eq!(read.json["mentions"][0]["username"], "bob");
        let log = bob
            .get(format!("{room}/events?after=0"))
            .await_status(200)
            .await;
        let events = log.json["events"].as_array().unwrap();
        assert!(
            events
                .iter()
                .any(|event| event["files"] == sent.json["files"]),
            "{events:?}"
        );
        let answer = bob.get(path(&text)).await_status(200).await;
        assert_eq!(&*answer.bytes, b"Tee?");

        // With the message it goes: at once from everybody, then from the disk.
        let files = server.app.files.clone();
        let sweep = async || {
            files
                .sweep(&server.app.store, &server.app.clock, UNSENT_MAX)
                .await
                .unwrap();
        };
        sweep().await;
        assert_eq!(
            kept(server.files.path()),
            4,
            "a picture, its small one, two texts"
        );
        ada.delete(&*message).await_status(204).await;
        for file in [&text, &image] {
            ada.get(path(file)).refused(ErrorCode::FileNotFound).await;
        }
        sweep().await;
        assert_eq!(kept(server.files.path()), 1);
        bob.get(path(&more)).await_status(200).await;
        // What no message takes goes too, and cannot be taken any more.
        let orphan = uploaded(&ada, &room, "c.txt", b"orphan").await;
        server.advance(UNSENT_MAX + Duration::from_secs(1));
        sweep().await;
        sweep().await;
        assert_eq!(kept(server.files.path()), 1);
        let ada = login(&server, "ada").await;
        ada.get(path(&orphan))
            .refused(ErrorCode::FileNotFound)
            .await;
        let late = json!({ "files": [orphan["id"]] });
        attach(&ada, &room, late)
            .await
            .refused(ErrorCode::FileNotFound)
            .await;
    }
}

async fn login<'a>(server: &'a Server, login: &str) -> Person<'a> {
    let body = json!({ "login": login, "password": crate::server::PASSWORD });
    let answer = server
        .post("/v1/auth/login")
        .json(body)
        .await_status(200)
        .await;
    Person::of(server, &answer.json)
}

#[tokio::test]
async fn only_members_read_and_only_from_where_they_may() {
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        for (visibility, code) in [
            ("public", ErrorCode::NotAMember),
            ("private", ErrorCode::NotAMember),
            ("secret", ErrorCode::FileNotFound),
        ] {
            let room = ada.room(json!({ "name": visibility, "visibility": visibility, "history": "since_join" })).await;
            let file = uploaded(&ada, &room, "a.png", &picture(ImageFormat::Png)).await;
            let message = json!({ "files": [file["id"]] });
            attach(&ada, &room, message).await.await_status(201).await;
            bob.get(path(&file)).refused(code).await;
            bob.get(format!("{}/thumbnail", path(&file)))
                .refused(code)
                .await;
            server
                .get(path(&file))
                .refused(ErrorCode::Unauthenticated)
                .await;
            let refused = if visibility == "secret" {
                ErrorCode::RoomNotFound
            } else {
                code
            };
            upload(&bob, &room, "b", b"b").refused(refused).await;
            if visibility == "public" {
                bob.join(&room).await;
                // It was sent before they came.
                bob.get(path(&file)).refused(ErrorCode::FileNotFound).await;
            }
        }
    }
}

#[tokio::test]
async fn nothing_that_could_run_is_shown() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada
        .room(json!({ "name": "tea", "visibility": "public" }))
        .await;
    let script = b"<script>alert(1)</script>";
    let polyglot = [&picture(ImageFormat::Gif)[..], b"/*<html>*/=1;", script].concat();
    let broken = [&b"GIF89a/*"[..], script].concat();
    for (name, bytes) in [
        ("a.html", &b"<!DOCTYPE html><script>alert(1)</script>"[..]),
        (
            "a.png",
            b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        ),
        (
            "a.svg",
            b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
        ),
        ("a.gif", &broken),
        ("a.js", b"alert(1)"),
        ("a.pdf", b"%PDF-1.7\n"),
    ] {
        let file = uploaded(&ada, &room, name, bytes).await;
        let answer = ada.get(path(&file)).await_status(200).await;
        is_bare(&answer);
        assert_eq!(&*answer.bytes, bytes, "{name}: as it came");
        assert!(
            answer
                .header("content-disposition")
                .starts_with("attachment"),
            "{name}"
        );
        let media_type = answer.header("content-type");
        assert!(
            !media_type.contains("html")
                && !media_type.contains("xml")
                && !media_type.contains("script"),
            "{name}: {media_type}"
        );
        ada.get(format!("{}/thumbnail", path(&file)))
            .refused(ErrorCode::FileNotFound)
            .await;
    }
    // A picture that is a page as well is only a picture afterwards.
    let file = uploaded(&ada, &room, "a.html", &polyglot).await;
    let answer = ada.get(path(&file)).await_status(200).await;
    is_bare(&answer);
    assert_eq!(answer.header("content-type"), "image/gif");
    assert!(answer.header("content-disposition").starts_with("inline"));
    assert!(
        !answer
            .bytes
            .windows(script.len())
            .any(|window| window == script)
    );
    let small = ada
        .get(format!("{}/thumbnail", path(&file)))
        .await_status(200)
        .await;
    is_bare(&small);
    let drawn = image::load_from_memory(&small.bytes).unwrap();
    assert_eq!((drawn.width(), drawn.height()), (512, 384));
}

#[tokio::test]
async fn a_part_is_read_as_it_is_asked_for() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada
        .room(json!({ "name": "tea", "visibility": "public" }))
        .await;
    let bytes: Vec<u8> = (0..200_000_u32)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    let file = uploaded(&ada, &room, "T\u{fc}r \"1\".bin", &bytes).await;
    let whole = ada.get(path(&file)).await_status(200).await;
    assert_eq!(&*whole.bytes, bytes);
    assert_eq!(whole.header("content-length"), "200000");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let part = ada
        .get(path(&file))
        .header("range", "bytes=70000-199998")
        .await_status(206)
        .await;
    assert_eq!(&*part.bytes, &bytes[70_000..199_999]);
    assert_eq!(part.header("content-range"), "bytes 70000-199998/200000");
    assert_eq!(part.header("content-length"), "129999");
    let last = ada
        .get(path(&file))
        .header("range", "bytes=-1")
        .await_status(206)
        .await;
    assert_eq!(&*last.bytes, &bytes[199_999..]);
    let beyond = ada
        .get(path(&file))
        .header("range", "bytes=200000-")
        .refused(ErrorCode::RangeNotSatisfiable)
        .await;
    assert_eq!(beyond.header("content-range"), "bytes */200000");
    let tag = whole.header("etag");
    let known = ada
        .get(path(&file))
        .header("if-none-match", tag)
        .await_status(304)
        .await;
    assert!(known.bytes.is_empty());
    let head = ada.ask(Method::HEAD, path(&file)).await_status(200).await;
    assert_eq!(
        (head.bytes.len(), head.header("content-length")),
        (0, "200000")
    );
}

#[tokio::test]
async fn what_is_too_large_broken_or_no_form_leaves_nothing() {
    let server = Server::start_with(|settings| {
        settings.limits.file_max_bytes = 1_000;
        settings.rates.on = true;
    })
    .await;
    let ada = server.register("ada").await;
    let room = ada
        .room(json!({ "name": "tea", "visibility": "public" }))
        .await;
    uploaded(&ada, &room, "fits", &[7; 1_000]).await;
    upload(&ada, &room, "too large", &[7; 1_001])
        .refused(ErrorCode::TooLarge)
        .await;
    upload(&ada, &room, "far too large", &[7; 100_000])
        .refused(ErrorCode::TooLarge)
        .await;
    let form = "multipart/form-data; boundary=x";
    let files = format!("{room}/files");
    let begun = "--x\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nhalf";
    ada.post(&*files)
        .body(form, begun)
        .refused(ErrorCode::Malformed)
        .await;
    ada.post(&*files)
        .json(json!({}))
        .refused(ErrorCode::UnsupportedMediaType)
        .await;
    let nothing = ada
        .post(&*files)
        .body(form, "--x--\r\n")
        .refused(ErrorCode::ValidationFailed)
        .await;
    assert_eq!(nothing.violations("file"), json!(["required"]));
    let other = "--x\r\ncontent-disposition: form-data; name=\"avatar\"\r\n\r\na\r\n--x--\r\n";
    let other = ada
        .post(&*files)
        .body(form, other)
        .refused(ErrorCode::ValidationFailed)
        .await;
    assert_eq!(other.violations("avatar"), json!(["unknown"]));
    assert_eq!(kept(server.files.path()), 1);
    // Ten a minute.
    for number in 0..3 {
        upload(&ada, &room, &format!("{number}"), b"fits")
            .await_status(201)
            .await;
    }
    upload(&ada, &room, "one too many", b"fits")
        .refused(ErrorCode::RateLimited)
        .await;
}

/// A server that speaks S3, where one is to be had.
#[expect(
    clippy::print_stdout,
    reason = "whoever runs the tests should see what is left out"
)]
async fn s3() -> Option<S3> {
    match S3::start().await {
        Ok(s3) => Some(s3),
        Err(error) => {
            println!("NOT TESTED: files in a bucket, without an S3 server: {error:#}");
            None
        }
    }
}

fn in_bucket(settings: &mut Settings, s3: &S3, endpoint: String) {
    settings.files = format!("s3://{}/of/chatx", s3.bucket());
    settings.s3.endpoint = Some(endpoint);
    settings.s3.region = Some("eu-central-1".to_owned());
    settings.s3.access_key_id = Some("chatx".to_owned());
    settings.s3.secret_access_key = Some("known to tests".into());
}

#[tokio::test]
async fn over_tls_a_bucket_is_believed_whose_ca_is() {
    let Some(s3) = s3().await else { return };
    let ca = Ca::new().unwrap();
    let address = s3.url().trim_start_matches("http://").parse().unwrap();
    let door = ca.door(address, "127.0.0.1").await.unwrap();
    for is_trusted in [false, true] {
        let server = Server::start_with(|settings| {
            in_bucket(settings, &s3, format!("https://127.0.0.1:{}", door.port()));
            settings.tls_ca_file = is_trusted.then(|| ca.file());
        })
        .await;
        let ada = server.register("ada").await;
        let room = ada.room(json!({ "name": "tea" })).await;
        if is_trusted {
            let kept = uploaded(&ada, &room, "tea.txt", b"two spoons").await;
            let read = ada.get(path(&kept)).await_status(200).await;
            assert_eq!(*read.bytes, *b"two spoons");
        } else {
            upload(&ada, &room, "tea.txt", b"two spoons")
                .refused(ErrorCode::Unavailable)
                .await;
        }
        assert_eq!(s3.keys().await.unwrap().len(), usize::from(is_trusted));
    }
}

#[tokio::test]
async fn files_are_kept_in_a_bucket() {
    let Some(mut s3) = s3().await else { return };
    let server = Server::start_with(|settings| {
        in_bucket(settings, &s3, s3.url());
        settings.limits.file_max_bytes = 64 * 1_024 * 1_024;
    })
    .await;
    let ada = server.register("ada").await;
    let room = ada
        .room(json!({ "name": "tea", "visibility": "public" }))
        .await;
    // Too large for one request: it is sent in parts.
    let bytes: Vec<u8> = (0..40_000_000_u32)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    let large = uploaded(&ada, &room, "large.bin", &bytes).await;
    let image = uploaded(&ada, &room, "a.png", &picture(ImageFormat::Png)).await;
    assert_eq!(s3.keys().await.unwrap().len(), 3);
    let whole = ada.get(path(&large)).await_status(200).await;
    assert!(whole.bytes == bytes, "it is another file");
    let part = ada
        .get(path(&large))
        .header("range", "bytes=39000000-39999999")
        .await_status(206)
        .await;
    assert!(*part.bytes == bytes[39_000_000..], "it is another part");
    let small = ada
        .get(format!("{}/thumbnail", path(&image)))
        .await_status(200)
        .await;
    image::load_from_memory(&small.bytes).unwrap();

    let message = json!({ "files": [large["id"], image["id"]] });
    let sent = attach(&ada, &room, message).await.await_status(201).await;
    ada.delete(format!("{room}/messages/{}", sent.json["seq"]))
        .await_status(204)
        .await;
    let (app, directory) = (&server.app, server.app.settings.data_dir.join("incoming"));
    app.files
        .sweep(&app.store, &app.clock, UNSENT_MAX)
        .await
        .unwrap();
    assert_eq!(s3.keys().await.unwrap(), Vec::<String>::new());

    // While it is away nothing is taken in, and nothing lost.
    let lasting = uploaded(&ada, &room, "lasting", b"lasting").await;
    s3.kill().await.unwrap();
    ada.get(path(&lasting))
        .refused(ErrorCode::Unavailable)
        .await;
    upload(&ada, &room, "refused", b"refused")
        .refused(ErrorCode::Unavailable)
        .await;
    assert_eq!(kept(&directory), 0);
}
