//! What each role may do with a room, as the contract says it: one row for each thing to do.

use super::Row;

/// Those who try, in the order of a row's answers. The last is a stranger again, to a secret room.
pub(super) const WHO: [&str; 8] = [
    "owner",
    "admin",
    "moderator",
    "member",
    "stranger",
    "banned",
    "root",
    "outsider",
];

/// What short words in a row stand for.
pub(super) const SHORT: [(&str, &str); 3] = [
    ("no", "forbidden"),
    ("out", "not_a_member"),
    ("?", "room_not_found"),
];

const fn row(
    operation: &'static str,
    body: &'static str,
    frame: &'static str,
    answers: &'static str,
) -> Row {
    Row {
        operation,
        body,
        frame,
        answers,
    }
}

/// An operation, its body, the frame that is the same on a socket, and what is answered to each of [`WHO`]: a status, or
/// the code of a refusal. A frame is done where the operation is, and refused with the same code where it is not.
///
/// `{theirs}` is a message of `{mate}`, who is another member; `{own}` one of the caller, as far as they can write one.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    //                                                                                               owner admin mod. memb. | stranger banned root | outsider
    row("GET /v1/rooms/{room}", "", "",                                                              "200 200 200 200 | 200 200 200 | ?"),
    row("GET /v1/rooms/{room}/members", "", r#"{"type":"members"}"#,                                 "200 200 200 200 | out out out | ?"),
    row("GET /v1/rooms/{room}/messages", "", r#"{"type":"history"}"#,                                "200 200 200 200 | out out out | ?"),
    row("GET /v1/rooms/{room}/messages/{theirs}", "", "",                                            "200 200 200 200 | out out out | ?"),
    row("GET /v1/rooms/{room}/messages/{theirs}/history", "", "",                                    "200 200 200 200 | out out out | ?"),
    row("GET /v1/rooms/{room}/events", "", r#"{"type":"subscribe"}"#,                                "200 200 200 200 | out out out | ?"),
    row("GET /v1/rooms/{room}/pins", "", "",                                                         "200 200 200 200 | out out out | ?"),
    row("GET /v1/rooms/{room}/receipts?seq=1", "", "",                                               "200 200 200 200 | out out out | ?"),
    row("GET /v1/rooms/{room}/bans", "", "",                                                         "200 200 200 no  | out out out | ?"),
    row("GET /v1/rooms/{room}/reports", "", "",                                                      "200 200 200 no  | out out out | ?"),
    row("GET /v1/rooms/{room}/invites", "", "",                                                      "200 200 200 200 | out out out | ?"),
    row("GET /v1/rooms/{room}/hooks", "", "",                                                        "200 200 no  no  | out out out | ?"),

    row("POST /v1/rooms/{room}/messages", r#"{"body":"tea"}"#, r#"{"type":"send","client_id":"{new}","body":"tea"}"#,
                                                                                                     "201 201 201 201 | out banned out | ?"),
    row("PATCH /v1/rooms/{room}/messages/{own}", r#"{"body":"no tea"}"#, r#"{"type":"edit","seq":{own},"body":"no tea"}"#,
                                                                                                     "200 200 200 200 | out out out | ?"),
    row("PATCH /v1/rooms/{room}/messages/{theirs}", r#"{"body":"no tea"}"#, r#"{"type":"edit","seq":{theirs},"body":"no tea"}"#,
                                                                                                     "no  no  no  no  | out out out | ?"),
    row("DELETE /v1/rooms/{room}/messages/{own}", "", r#"{"type":"delete","seq":{own}}"#,            "204 204 204 204 | out out out | ?"),
    row("DELETE /v1/rooms/{room}/messages/{theirs}", "", r#"{"type":"delete","seq":{theirs}}"#,      "204 204 204 no  | out out out | ?"),
    row("PUT /v1/rooms/{room}/messages/{theirs}/reactions/%F0%9F%8D%B5", "", r#"{"type":"react","seq":{theirs},"emoji":"🍵"}"#,
                                                                                                     "204 204 204 204 | out out out | ?"),
    row("DELETE /v1/rooms/{room}/messages/{theirs}/reactions/%F0%9F%8D%B5", "", r#"{"type":"unreact","seq":{theirs},"emoji":"🍵"}"#,
                                                                                                     "204 204 204 204 | out out out | ?"),
    row("PUT /v1/rooms/{room}/messages/{theirs}/pin", "", r#"{"type":"pin","seq":{theirs}}"#,        "204 204 204 no  | out out out | ?"),
    row("DELETE /v1/rooms/{room}/messages/{theirs}/pin", "", r#"{"type":"unpin","seq":{theirs}}"#,   "204 204 204 no  | out out out | ?"),
    row("POST /v1/rooms/{room}/messages/{theirs}/report", r#"{"reason":"spam"}"#, "",                "201 201 201 201 | out out out | ?"),
    row("PATCH /v1/rooms/{room}/reports/{report}", r#"{"state":"resolved"}"#, "",                    "200 200 200 no  | out out out | ?"),
    row("PUT /v1/rooms/{room}/read", r#"{"seq":{theirs}}"#, r#"{"type":"read","seq":{theirs}}"#,     "204 204 204 204 | out out out | ?"),
    row("POST /v1/rooms/{room}/files", "", "",                                                       "201 201 201 201 | out out out | ?"),

    row("POST /v1/rooms/{room}/members", "{}", r#"{"type":"join"}"#,                                 "200 200 200 200 | 201 banned 201 | ?"),
    row("DELETE /v1/rooms/{room}/members/me", "", r#"{"type":"leave"}"#,                             "last_owner 204 204 204 | out out out | ?"),
    row("PATCH /v1/rooms/{room}/members/{mate}", r#"{"role":"moderator"}"#, "",                      "200 200 no  no  | out out out | ?"),
    row("PATCH /v1/rooms/{room}/members/{mate}", r#"{"role":"admin"}"#, "",                          "200 no  no  no  | out out out | ?"),
    row("PATCH /v1/rooms/{room}/members/{mate}", r#"{"role":"owner"}"#, "",                          "200 no  no  no  | out out out | ?"),
    row("PATCH /v1/rooms/{room}/members/{mate as admin}", r#"{"role":"member"}"#, "",                "200 no  no  no  | out out out | ?"),
    row("PATCH /v1/rooms/{room}/members/{mate}", r#"{"muted_until":"2999-01-01T00:00:00.000Z"}"#, "","200 200 200 no  | out out out | ?"),
    row("PATCH /v1/rooms/{room}/members/{mate as moderator}", r#"{"muted_until":"2999-01-01T00:00:00.000Z"}"#, "",
                                                                                                     "200 200 no  no  | out out out | ?"),
    row("DELETE /v1/rooms/{room}/members/{mate}", "", "",                                            "204 204 204 no  | out out out | ?"),
    row("DELETE /v1/rooms/{room}/members/{mate as moderator}", "", "",                               "204 204 no  no  | out out out | ?"),
    row("DELETE /v1/rooms/{room}/members/{mate as admin}", "", "",                                   "204 no  no  no  | out out out | ?"),
    row("DELETE /v1/rooms/{room}/members/{owner}", "", "",                                           "no  no  no  no  | out out out | ?"),
    row("PUT /v1/rooms/{room}/bans/{mate}", "{}", "",                                                "204 204 204 no  | out out out | ?"),
    row("PUT /v1/rooms/{room}/bans/{mate as admin}", "{}", "",                                       "204 no  no  no  | out out out | ?"),
    row("PUT /v1/rooms/{room}/bans/{owner}", "{}", "",                                               "no  no  no  no  | out out out | ?"),
    row("DELETE /v1/rooms/{room}/bans/{banned}", "", "",                                             "204 204 204 no  | out out out | ?"),
    row("POST /v1/rooms/{room}/invites", "{}", "",                                                   "201 201 201 201 | out out out | ?"),
    row("POST /v1/rooms/{private room}/invites", "{}", "",                                           "201 201 201 no  | out out out | ?"),
    row("DELETE /v1/rooms/{room}/invites/{own invite}", "", "",                                      "204 204 204 204 | out out out | ?"),
    // Whose invites they do not see are none to them.
    row("DELETE /v1/rooms/{room}/invites/{invite}", "", "",                                          "204 204 204 invite_not_found | out out out | ?"),

    row("PATCH /v1/rooms/{room}", r#"{"topic":"tea"}"#, "",                                          "200 200 no  no  | out out out | ?"),
    row("PATCH /v1/rooms/{room}", r#"{"name":"{new}"}"#, "",                                         "200 200 no  no  | out out out | ?"),
    row("PATCH /v1/rooms/{room}", r#"{"visibility":"private","password":"sugar"}"#, "",              "200 200 no  no  | out out out | ?"),
    row("PATCH /v1/rooms/{room}", r#"{"history":"since_join"}"#, "",                                 "200 200 no  no  | out out out | ?"),
    row("PATCH /v1/rooms/{room}", r#"{"slow_mode_s":5}"#, "",                                        "200 200 200 no  | out out out | ?"),
    row("PATCH /v1/rooms/{room}", r#"{"archived":true}"#, "",                                        "200 no  no  no  | out out out | ?"),
    row("DELETE /v1/rooms/{room}", "", r#"{"type":"delete_room"}"#,                                  "204 no  no  no  | out out out | ?"),
    row("POST /v1/rooms/{deleted room}/restore", "", "",                                             "200 ?   ?   ?   | ?   ?   ?   | ?"),
    row("POST /v1/rooms/{room}/hooks", r#"{"name":"builds"}"#, "",                                   "201 201 no  no  | out out out | ?"),
    row("DELETE /v1/rooms/{room}/hooks/{hook}", "", "",                                              "204 204 no  no  | out out out | ?"),
    row("PATCH /v1/admin/rooms/{room}", r#"{"archived":true}"#, "",                                  "no  no  no  no  | no  no  200 | no"),
    row("DELETE /v1/admin/rooms/{room}", "", "",                                                     "no  no  no  no  | no  no  204 | no"),
];
