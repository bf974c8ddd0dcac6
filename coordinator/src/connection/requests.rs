//! What a socket may ask for beside messages: the same operations as over HTTP, each as a task of
//! its own, so that a slow answer does not keep the socket from anything else.

use std::sync::Arc;

use protocol::{
    ErrorCode, RoomId, Seq,
    events::Event,
    frame::{Ack, EditFrame, FrameId, ServerFrame},
    messages::{History, MessageList, Span},
    rooms::{CreateRoom, FindRooms, Join, Page},
};
use shared::{App, Caller, Refusal, messages, rooms};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::{Connection, Passport};
use crate::{Node, answers, encoded::Encoded, outbox::Outbox};

/// The requests of one socket that have no answer yet.
pub(super) struct Requests {
    app: App,
    caller: Caller,
    outbox: Outbox,
    tasks: TaskTracker,
    unanswered: Arc<Semaphore>,
}

/// Something to be done for a client.
pub(super) enum Request {
    Edit(EditFrame),
    Delete(RoomId, Seq),
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
    pub(super) fn new(node: &Node, connection: &Connection, passport: &Passport) -> Self {
        let caller = Caller {
            user: passport.user.clone(),
            session: passport.session,
            ip: passport.ip,
            request_id: connection.id.to_string(),
            admin: passport.admin,
        };
        Self {
            app: node.app.clone(),
            caller,
            outbox: connection.outbox.clone(),
            tasks: node.tasks.clone(),
            unanswered: Arc::new(Semaphore::new(AT_ONCE as usize)),
        }
    }

    /// Begins a request; its answer goes into the outbox.
    pub(super) fn begin(
        &self,
        id: Option<FrameId>,
        request: Request,
    ) -> Result<(), (Option<FrameId>, Refusal)> {
        let Ok(unanswered) = Arc::clone(&self.unanswered).try_acquire_owned() else {
            return Err((id, ErrorCode::RateLimited.into()));
        };
        let (app, caller, outbox) = (self.app.clone(), self.caller.clone(), self.outbox.clone());
        let task = async move {
            let answer = answer(&app, &caller, id.clone(), request).await;
            match answer {
                Ok(Some(frame)) => outbox.answer(&frame),
                Ok(None) => {}
                Err(refusal) => outbox.answer(&answers::refused(id, refusal)),
            }
            drop(unanswered);
        };
        self.tasks.spawn(task.in_current_span());
        Ok(())
    }

    /// Waits until every request is answered.
    pub(super) fn all_answered(&self) -> impl Future<Output = ()> + use<> {
        let all = Arc::clone(&self.unanswered).acquire_many_owned(AT_ONCE);
        async move { drop(all.await) }
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
            let list = messages::history(app, caller, room, &history).await?;
            fitting(
                id.as_ref(),
                list,
                history.span,
                app.settings.limits.server_frame_max_bytes,
            )
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

/// As much of the list as a frame may carry, from the end that was asked for.
fn fitting(
    id: Option<&FrameId>,
    mut list: MessageList,
    span: Span,
    max_bytes: usize,
) -> ServerFrame {
    loop {
        let frame = answers::result(id.cloned(), &list);
        if Encoded::of(&frame).len() <= max_bytes || list.messages.len() < 2 {
            return frame;
        }
        let half = list.messages.len() / 2;
        match span {
            Span::Latest | Span::Before(_) => drop(list.messages.drain(..half)),
            Span::After(_) => list.messages.truncate(half),
            Span::Around(_) => {
                list.messages.drain(..half / 2);
                list.messages.truncate(half);
            }
        }
        list.has_more = true;
    }
}
