//! How much of everything a client may send. Every limit is a setting; these are the defaults.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The sizes that input is held to. Lengths of text count Unicode scalar values after normalisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Limits {
    /// Fewest characters of a username.
    pub username_min_chars: usize,
    /// Most characters of a username.
    pub username_max_chars: usize,
    /// Most characters of a display name.
    pub display_name_max_chars: usize,
    /// Most characters of a profile's text about oneself.
    pub bio_max_chars: usize,
    /// Most characters of a status line.
    pub status_max_chars: usize,
    /// Most bytes of an email address.
    pub email_max_bytes: usize,
    /// Fewest characters of an account's password.
    pub password_min_chars: usize,
    /// Most characters of an account's password.
    pub password_max_chars: usize,
    /// Most characters of a room's name.
    pub room_name_max_chars: usize,
    /// Most characters of a topic.
    pub topic_max_chars: usize,
    /// Fewest characters of a room's password.
    pub room_password_min_chars: usize,
    /// Most characters of a room's password.
    pub room_password_max_chars: usize,
    /// Most characters of a message.
    pub body_max_chars: usize,
    /// Most characters of the reason of a ban.
    pub reason_max_chars: usize,
    /// Most members of a room.
    pub room_max_members: u32,
    /// Most seconds of slow mode.
    pub slow_mode_max_s: u32,
    /// Most entries of one page of a list.
    pub page_max: u32,
    /// Entries of one page of a list when the client names no number.
    pub page_default: u32,
    /// Most missed events that a resume sends before it answers `reset`.
    pub resume_max_events: u32,
    /// Most rooms that one socket subscribes to.
    pub socket_max_rooms: usize,
    /// Most bytes of a client's frame.
    pub client_frame_max_bytes: usize,
    /// Most bytes of a server's frame.
    pub server_frame_max_bytes: usize,
    /// Most bytes of the JSON body of a request.
    pub json_body_max_bytes: usize,
    /// Most bytes of a file.
    pub file_max_bytes: u64,
    /// Most files of a message.
    pub message_max_files: usize,
    /// How long a file waits for the message that takes it, seconds.
    pub file_unsent_max_s: u64,
    /// Longest life of an invite, seconds.
    pub invite_max_s: u64,
    /// Life of an invite when its maker names none, seconds.
    pub invite_default_s: u64,
    /// Most people whose presence a room shows by name.
    pub presence_visible_max: usize,
    /// Above so many members a room shows how many are online, but not who.
    pub presence_named_max_members: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            username_min_chars: 3,
            username_max_chars: 32,
            display_name_max_chars: 64,
            bio_max_chars: 500,
            status_max_chars: 100,
            email_max_bytes: 254,
            password_min_chars: 10,
            password_max_chars: 256,
            room_name_max_chars: 64,
            topic_max_chars: 1_024,
            room_password_min_chars: 4,
            room_password_max_chars: 128,
            body_max_chars: 8_000,
            reason_max_chars: 500,
            room_max_members: 10_000,
            slow_mode_max_s: 21_600,
            page_max: 200,
            page_default: 50,
            resume_max_events: 500,
            socket_max_rooms: 512,
            client_frame_max_bytes: 64 * 1_024,
            server_frame_max_bytes: 256 * 1_024,
            json_body_max_bytes: 256 * 1_024,
            file_max_bytes: 25 * 1_024 * 1_024,
            message_max_files: 10,
            file_unsent_max_s: 12 * 3_600,
            invite_max_s: 30 * 86_400,
            invite_default_s: 7 * 86_400,
            presence_visible_max: 200,
            presence_named_max_members: 500,
        }
    }
}
