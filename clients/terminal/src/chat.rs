//! stub
use crate::{options::Chat, place::{Now, Place}};
pub(crate) async fn run(_: &Place, _: Chat, _: Now) -> anyhow::Result<()> { Ok(()) }
