//! A typed client of ChatX: it speaks the contract of `protocol`, and keeps what a program should not
//! have to think of. It knows no server code and draws nothing.
//!
//! A [`Client`] knows where the server is. Registering or logging in gives a [`Session`], which makes
//! every HTTP call with an access token that is renewed in time. [`Session::connect`] gives a
//! [`Connection`]: it opens sockets one after the other, follows rooms without a hole and without a
//! repetition, and sends each message until the server answers for it, in the order of writing.
//!
//! ```no_run
//! use client::{Client, Delivery, Start};
//! use protocol::{accounts::LoginBody, rooms::JoinBody};
//!
//! # async fn talk(room: protocol::RoomId) -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("http://127.0.0.1:8080")?;
//! let session = client
//!     .log_in(&LoginBody {
//!         login: Some("ada".to_owned()),
//!         password: Some("plain sailing 1843".to_owned()),
//!         device: None,
//!         totp: None,
//!     })
//!     .await?;
//! session.join(room, &JoinBody::default()).await?;
//!
//! let connection = session.connect();
//! let room = connection.room(room);
//! let mut events = room.events(Start::Latest(50)).await?;
//! let stored = room.send("Good morning").await?;
//! println!("stored at {}", stored.seq);
//! while let Some(delivery) = events.next().await {
//!     match delivery {
//!         Delivery::Event(event) => println!("{}: {}", event.seq, event.kind.as_str()),
//!         Delivery::Reset { .. } => println!("what was shown before no longer counts"),
//!         Delivery::Ended(why) => println!("over: {why}"),
//!         _ => {}
//!     }
//! }
//! connection.close(std::time::Duration::from_secs(5)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Modules are listed in reading order: what a program holds first, then what it stands on.
#![warn(missing_docs)]

mod error;
mod random;
mod settings;
mod backoff;

mod network;
mod http;
mod session;

mod connection;

pub use connection::{
    Connection, Delivery, Draft, Ended, Events, Receipt, Room, RoomEnded, Start, Status, Unacked,
};
pub use error::{Error, Refusal, Result};
pub use random::Random;
pub use rustls::pki_types;
pub use session::{Client, Keep, Kept, Saved, Sent, Session};
pub use settings::Settings;
