//! The frames that answer a client's frames.

use std::time::Duration;

use protocol::frame::{ErrorFrame, FrameId, Ok, ServerFrame};
use serde::Serialize;
use shared::Refusal;

/// Nothing was done, and why.
pub(crate) fn refused(id: Option<FrameId>, refusal: Refusal) -> ServerFrame {
    let Refusal {
        code,
        fields,
        retry_after,
    } = refusal;
    ServerFrame::Error(ErrorFrame {
        id,
        code,
        message: code.message().to_owned(),
        retry_after_ms: retry_after.map(whole_ms),
        fields,
    })
}

/// What was asked for is done.
pub(crate) const fn done(id: Option<FrameId>) -> ServerFrame {
    ServerFrame::Ok(Ok { id, result: None })
}

/// What was asked for is done, and this is what HTTP answers to it.
pub(crate) fn result(id: Option<FrameId>, result: &impl Serialize) -> ServerFrame {
    let result =
        serde_json::to_value(result).expect("answers have string keys and no failing parts");
    ServerFrame::Ok(Ok {
        id,
        result: Some(result),
    })
}

/// Milliseconds, rounded up, so that who waits so long has waited long enough.
fn whole_ms(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
