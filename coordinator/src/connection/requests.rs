//! What a socket may ask for beside messages: the same operations as over HTTP, each as a task of
//! its own, so that a slow answer does not keep the socket from anything else.

use std::net::IpAddr;

use protocol::{
    ErrorCode, RoomId, Seq,
    accounts::UserSummary,
    bots::Scopes,
    events::Event,
    frame::{Ack, EditFrame, FrameId, ServerFrame},
    marks::React,
    messages::History,
    rooms::{CreateRoom, FindRooms, Join, Page},
};
use shared::{App, Caller, Refusal, marks, messages, rooms, store::Marked};
use tracing::Instrument;

use super::{Connection, Passport, unanswered::Unanswered};
use crate::{Node, answers, encoded::Encoded};

/// The requests of one socket that have no answer yet.
pub(super) struct Requests {
    ip: IpAddr,
    admin: bool,
    scopes: Option<Scopes>,
    unanswered: Unanswered<AT_ONCE>,
}

/// Something to be done for a client.
#[derive(Clone)]
pub(super) enum Request {
    Edit(EditFrame),
    Delete(RoomId, Seq),
    React(RoomId, React),
    Unreact(RoomId, React),
    Pin(RoomId, Seq),
    Unpin(RoomId, Seq),
    Read(RoomId, Seq),
    CreateRoom(CreateRoom),
    Join(RoomId, Join),
    Leave(RoomId),
    DeleteRoom(RoomId),
    ListRooms(FindRooms),
    History(RoomId, History),
    Members(RoomId, Page),
}

/// As many requests of one socket are under way; more are refused `rate_limited`.
const AT_ONCE: u32 = 16;

impl Requests {
    pub(super) const fn new(passport: &Passport) -> Self {
        Self {
            ip: passport.ip,
            admin: passport.admin,
            scopes: passport.scopes,
            unanswered: Unanswered::none_yet(),
        }
    }

    /// What the socket's user may do, if they are a bot.
    pub(super) const fn scopes(&self) -> Option<Scopes> {
        self.scopes
    }

    /// Begins a request; its answer goes into the outbox.
    pub(super) fn begin(
        &mut self,
        node: &Node,
        connection: &Connection,
        id: Option<FrameId>,
        request: Request,
    ) -> Result<(), (Option<FrameId>, Refusal)> {
        let Some(unanswered) = self.unanswered.add() else {
            return Err((id, ErrorCode::RateLimited.into()));
        };
        let app = node.app.clone();
        let (caller, outbox) = (self.caller(connection), connection.outbox.clone());
        let task = async move {
            match fitting(&app, &caller, id.as_ref(), request).await {
                Ok(Some(frame)) => outbox.answer(&frame),
                Ok(None) => {}
                Err(refusal) => outbox.answer(&answers::refused(id, refusal)),
            }
            drop(unanswered);
        };
        node.tasks.spawn(task.instrument(connection.span()));
        Ok(())
    }

    /// Waits until every request is answered.
    pub(super) fn all_answered(&self) -> impl Future<Output = ()> + use<> {
        self.unanswered.none()
    }

    fn caller(&self, connection: &Connection) -> Caller {
        Caller {
            user: UserSummary::clone(&connection.user),
            session: connection.session,
            ip: self.ip,
            request_id: connection.id.to_string(),
            admin: self.admin,
            scopes: self.scopes,
        }
    }
}

impl Request {
    /// How many entries of a list are asked for, if it is a list.
    const fn limit_mut(&mut self) -> Option<&mut u32> {
        match self {
            Self::ListRooms(find) => Some(&mut find.limit),
            Self::History(_, history) => Some(&mut history.limit),
            Self::Members(_, page) => Some(&mut page.limit),
            _ => None,
        }
    }
}

/// Does what is asked for, and of a list answers as much as a frame may carry.
async fn fitting(
    app: &App,
    caller: &Caller,
    id: Option<&FrameId>,
    mut request: Request,
) -> Result<Option<ServerFrame>, Refusal> {
    let max_bytes = app.settings.limits.server_frame_max_bytes;
    loop {
        let frame = answer(app, caller, id.cloned(), request.clone()).await?;
        let fits = |frame| Encoded::of(frame).len() <= max_bytes;
        match request.limit_mut() {
            Some(limit) if *limit > 1 && !frame.as_ref().is_none_or(fits) => *limit /= 2,
            _ => return Ok(frame),
        }
    }
}

/// Does what is asked for; the frame that says so, if any does.
async fn answer(
    app: &App,
    caller: &Caller,
    id: Option<FrameId>,
    request: Request,
) -> Result<Option<ServerFrame>, Refusal> {
    let frame = match request {
        Request::Edit(EditFrame { room, seq, edit }) => acknowledged(
            id,
            seq,
            &messages::edit(app, caller, room, seq, &edit).await?,
        ),
        Request::Delete(room, seq) => {
            acknowledged(id, seq, &messages::delete(app, caller, room, seq).await?)
        }
        Request::React(room, react) => marked(
            id,
            react.seq,
            marks::react(app, caller, room, &react).await?,
        ),
        Request::Unreact(room, react) => marked(
            id,
            react.seq,
            marks::unreact(app, caller, room, &react).await?,
        ),
        Request::Pin(room, seq) => marked(id, seq, marks::pin(app, caller, room, seq).await?),
        Request::Unpin(room, seq) => marked(id, seq, marks::unpin(app, caller, room, seq).await?),
        Request::Read(room, seq) => {
            messages::mark_read(app, caller, room, seq).await?;
            return Ok(None);
        }
        Request::CreateRoom(create) => {
            answers::result(id, &rooms::create(app, caller, create).await?)
        }
        Request::Join(room, join) => {
            answers::result(id, &rooms::join(app, caller, room, join).await?.member)
        }
        Request::Leave(room) => {
            rooms::leave(app, caller, room).await?;
            answers::done(id)
        }
        Request::DeleteRoom(room) => {
            rooms::delete(app, caller, room).await?;
            answers::done(id)
        }
        Request::ListRooms(find) => answers::result(id, &rooms::list(app, caller, &find).await?),
        Request::History(room, history) => {
            answers::result(id, &messages::history(app, caller, room, &history).await?)
        }
        Request::Members(room, page) => {
            answers::result(id, &rooms::members(app, caller, room, &page).await?)
        }
    };
    Ok(Some(frame))
}

fn acknowledged(id: Option<FrameId>, target: Seq, event: &Event) -> ServerFrame {
    ServerFrame::Ack(Ack {
        id,
        room: event.room,
        seq: event.seq,
        at: event.at,
        client_id: None,
        target: Some(target),
        duplicate: false,
    })
}

fn marked(id: Option<FrameId>, target: Seq, marked: Marked) -> ServerFrame {
    ServerFrame::Ack(Ack {
        id,
        room: marked.room,
        seq: marked.seq,
        at: marked.at,
        client_id: None,
        target: Some(target),
        duplicate: marked.was_so,
    })
}
