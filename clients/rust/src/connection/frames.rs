//! What this client says on a socket: the writing side of what `protocol::frame::decode` reads.

use protocol::{EventId, RoomId, Seq, frame::PresenceState, text::ClientId};
use serde::Serialize;

/// One frame to the server.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Say<'a> {
    Subscribe {
        id: &'a str,
        room: RoomId,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none")]
        after_id: Option<EventId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    Unsubscribe {
        room: RoomId,
    },
    Send {
        id: &'a str,
        room: RoomId,
        client_id: &'a ClientId,
        body: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none")]
        thread: Option<Seq>,
    },
    Read {
        room: RoomId,
        seq: Seq,
    },
    Typing {
        room: RoomId,
        on: bool,
    },
    Presence {
        state: PresenceState,
    },
    Refresh {
        id: &'a str,
        token: &'a str,
    },
    Ping,
}

impl Say<'_> {
    /// The frame's text.
    pub(super) fn encode(&self) -> String {
        serde_json::to_string(self).expect("frames have string keys and no failing parts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use protocol::{
        Limits,
        frame::{ClientFrame, Incoming, decode},
    };
    use uuid::Uuid;

    fn read(say: &Say<'_>) -> Incoming {
        decode(&say.encode(), &Limits::default()).unwrap()
    }

    proptest! {
        #[test]
        fn the_server_reads_what_is_written(
            (room, id) in (any::<u128>(), any::<u128>()),
            (after, limit) in (any::<Option<u64>>(), proptest::option::of(0_u32..=200)),
            body in "[^\\p{Cc}\\s][^\\p{Cc}]{0,200}",
        ) {
            let (room, after_id) = (RoomId::from_uuid(Uuid::from_u128(room)), EventId::from_uuid(Uuid::from_u128(id)));
            let after = after.map(Seq);
            let after_id = after.map(|_| after_id);
            let incoming = read(&Say::Subscribe { id: "s1", room, after, after_id, limit });
            let id = incoming.id.unwrap();
            prop_assert_eq!(id.as_str(), "s1");
            let ClientFrame::Subscribe(asked) = incoming.frame else { panic!("{:?}", incoming.frame) };
            prop_assert_eq!((asked.room, asked.after, asked.after_id), (room, after, after_id));
            prop_assert_eq!(asked.limit, limit.unwrap_or(50));

            let name = ClientId::parse("mine").unwrap();
            let incoming = read(&Say::Send { id: "m1", room, client_id: &name, body: &body, reply_to: Some(Seq(3)), thread: None });
            let ClientFrame::Send(sent) = incoming.frame else { panic!("{:?}", incoming.frame) };
            prop_assert_eq!((sent.room, sent.message.body.as_str()), (room, body.as_str()));
            prop_assert_eq!((sent.message.client_id, sent.message.reply_to), (Some(name), Some(Seq(3))));
        }
    }

    #[test]
    fn small_frames_are_read_too() {
        let room = RoomId::from_uuid(Uuid::from_u128(7));
        assert!(
            matches!(read(&Say::Unsubscribe { room }).frame, ClientFrame::Unsubscribe(r) if r == room)
        );
        assert!(matches!(
            read(&Say::Read { room, seq: Seq(2) }).frame,
            ClientFrame::Read(_, Seq(2))
        ));
        assert!(matches!(
            read(&Say::Typing { room, on: true }).frame,
            ClientFrame::Typing(_, true)
        ));
        let away = Say::Presence {
            state: PresenceState::Away,
        };
        assert!(matches!(
            read(&away).frame,
            ClientFrame::Presence(PresenceState::Away)
        ));
        let refresh = Say::Refresh {
            id: "r",
            token: "t",
        };
        assert!(
            matches!(read(&refresh).frame, ClientFrame::Refresh(refresh) if refresh.token == "t")
        );
        assert!(matches!(read(&Say::Ping).frame, ClientFrame::Ping));
    }
}
