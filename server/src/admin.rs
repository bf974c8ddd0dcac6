//! `chatx admin`: what server admins do, done in the store itself. It is how the first of them comes to be, and
//! what is left when nobody can log in: it needs no server that answers, and whoever can read the database may.

mod table;

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr},
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use protocol::{
    RoomId, UserId,
    admin::{Account, ChangeAccount, FindAccounts, FindAdminRooms, ResetLink},
    audit::AuditAction,
    ids::OfEvent,
    text::{Reason, RoomName},
};
use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    Clock, Settings, Store,
    mail::reset_url,
    store::{self, AccountChange, As, NewAuditEntry},
    token::bearer::{bearer_hash, random_text},
};

use crate::parts::{existing_store, reachable};
use table::Table;

/// What the command line says about it.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(subcommand)]
    act: Act,
    /// Show JSON, as the API under /v1/admin answers it
    #[arg(long, global = true)]
    json: bool,
}

/// What is to be done.
#[derive(Subcommand, Clone, Debug)]
enum Act {
    /// List accounts, or those whose username, display name or address begins so
    Users {
        /// How it begins
        query: Option<String>,
        /// Only suspended ones
        #[arg(long)]
        suspended: bool,
        /// Only server admins
        #[arg(long)]
        only_admins: bool,
    },
    /// Make somebody a server admin
    Grant {
        /// Their username
        username: String,
    },
    /// Take server-admin rights back
    Revoke {
        /// Their username
        username: String,
    },
    /// Log somebody out everywhere and keep them out
    Suspend {
        /// Their username
        username: String,
        /// Why, for server admins to read
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let a suspended account in again
    Unsuspend {
        /// Their username
        username: String,
    },
    /// Take somebody's password away, and show the link by which they choose another
    Reset {
        /// Their username
        username: String,
    },
    /// List rooms of every visibility, or those whose name contains a word
    Rooms {
        /// The word
        query: Option<String>,
        /// Only those whose owner is erased or suspended
        #[arg(long, conflicts_with = "deleted")]
        ownerless: bool,
        /// Those that are deleted
        #[arg(long)]
        deleted: bool,
    },
    /// Give a room to somebody, who joins it if they are not in it
    Give {
        /// The room's id
        room: RoomId,
        /// Their username
        username: String,
    },
    /// Delete a room; it can be restored for as long as CHATX_ROOM_RESTORE_S says
    DeleteRoom {
        /// The room's id
        room: RoomId,
    },
    /// Bring a deleted room back
    RestoreRoom {
        /// The room's id
        room: RoomId,
    },
    /// Show how much is stored
    Storage,
}

/// As many are read at once.
const PAGE: u32 = 200;

/// Does it, and shows what came of it.
///
/// # Errors
/// When there is no store, it does not answer, or says no.
pub async fn run(settings: &Settings, options: Options) -> Result<()> {
    let store = existing_store(settings).await?;
    let desk = Desk {
        store: store.clone(),
        settings,
        clock: Clock::system(),
        json: options.json,
    };
    let done = desk.act(options.act).await;
    store.close().await;
    done
}

/// The store, and where what is asked of it is shown.
struct Desk<'a> {
    store: Store,
    settings: &'a Settings,
    clock: Clock,
    json: bool,
}

impl Desk<'_> {
    async fn act(&self, act: Act) -> Result<()> {
        match act {
            Act::Users {
                query,
                suspended,
                only_admins,
            } => {
                let find = FindAccounts {
                    query: query.unwrap_or_default().to_lowercase(),
                    suspended: suspended.then_some(true),
                    admin: only_admins.then_some(true),
                    cursor: None,
                    limit: PAGE,
                };
                self.users(find).await
            }
            Act::Grant { username } => self.rights(&username, true).await,
            Act::Revoke { username } => self.rights(&username, false).await,
            Act::Suspend { username, reason } => self.suspend(&username, reason).await,
            Act::Unsuspend { username } => {
                let wish = ChangeAccount {
                    suspended: Some(false),
                    ..ChangeAccount::default()
                };
                self.change(&username, wish, AuditAction::UserRestore).await
            }
            Act::Reset { username } => self.reset(&username).await,
            Act::Rooms {
                query,
                ownerless,
                deleted,
            } => {
                let find = FindAdminRooms {
                    query: RoomName::search_key(&query.unwrap_or_default()),
                    ownerless,
                    deleted,
                    cursor: None,
                    limit: PAGE,
                };
                self.rooms(find).await
            }
            Act::Give { room, username } => self.give(room, &username).await,
            Act::DeleteRoom { room } => self.delete_room(room).await,
            Act::RestoreRoom { room } => self.restore_room(room).await,
            Act::Storage => {
                let storage = told(self.store.storage().await)?;
                self.show(&storage, |out| table::storage(&storage, out))
            }
        }
    }

    async fn users(&self, mut find: FindAccounts) -> Result<()> {
        let mut users = Vec::new();
        loop {
            let (admins, now) = (&self.settings.admins, self.clock.now());
            let page = told(self.store.accounts(&find, admins, now).await)?;
            users.extend(page.users);
            find.cursor = page.next_cursor;
            if find.cursor.is_none() {
                break;
            }
        }
        self.show(&json!({ "users": users }), |out| {
            let mut table = Table::new(["USERNAME", "NAME", "EMAIL", "ROOMS", "STATE", "ID"]);
            for user in &users {
                table.row([
                    user.username.clone(),
                    user.display_name.clone(),
                    user.email.clone().unwrap_or_default(),
                    user.rooms.to_string(),
                    table::state(user),
                    user.id.to_string(),
                ]);
            }
            table.print("nobody", out)
        })
    }

    async fn rights(&self, username: &str, admin: bool) -> Result<()> {
        let wish = ChangeAccount {
            admin: Some(admin),
            ..ChangeAccount::default()
        };
        let action = if admin {
            AuditAction::AdminGrant
        } else {
            AuditAction::AdminRevoke
        };
        self.change(username, wish, action).await
    }

    async fn suspend(&self, username: &str, reason: Option<String>) -> Result<()> {
        let account = self.account(username).await?;
        if account.admin_by_settings {
            bail!("{username} is server admin by CHATX_ADMINS, take the name out of it first");
        }
        let limits = &self.settings.limits;
        let reason = reason.map(|reason| Reason::parse(&reason, limits));
        let reason = reason
            .transpose()
            .map_err(|violation| anyhow::anyhow!("the reason cannot be used: {violation:?}"))?;
        let wish = ChangeAccount {
            suspended: Some(true),
            suspended_reason: Some(reason),
            ..ChangeAccount::default()
        };
        self.change(username, wish, AuditAction::UserSuspend).await
    }

    /// Changes an account. Servers that run learn of what was revoked when they next ask the store.
    async fn change(&self, username: &str, wish: ChangeAccount, action: AuditAction) -> Result<()> {
        let user = self.account(username).await?.id;
        let change = AccountChange {
            user,
            wish: &wish,
            admins: &self.settings.admins,
            at: self.clock.now(),
        };
        told(self.store.administer_account(&change).await)?;
        self.note(action, user.to_string(), json!({})).await?;
        let account = self.account(username).await?;
        self.show(&account, |out| {
            writeln!(out, "{}: {}", account.username, table::state(&account))
        })
    }

    async fn reset(&self, username: &str) -> Result<()> {
        let user = self.account(username).await?.id;
        let token = random_text();
        let (hash, expires_at) = (
            bearer_hash(&token),
            self.clock.now().after(self.settings.reset_token),
        );
        told(self.store.take_password(user, &hash, expires_at).await)?;
        self.note(AuditAction::UserReset, user.to_string(), json!({}))
            .await?;
        let page = match self.settings.public_base() {
            "" => format!("http://{}", reachable(self.settings.listen)),
            page => page.to_owned(),
        };
        let link = ResetLink {
            url: reset_url(&page, &token),
            token,
            expires_at,
        };
        self.show(&link, |out| {
            writeln!(out, "{}\ngood once, until {}", link.url, link.expires_at)
        })
    }

    async fn rooms(&self, mut find: FindAdminRooms) -> Result<()> {
        let mut rooms = Vec::new();
        loop {
            let page = told(self.store.admin_rooms(&find).await)?;
            rooms.extend(page.rooms);
            find.cursor = page.next_cursor;
            if find.cursor.is_none() {
                break;
            }
        }
        self.show(&json!({ "rooms": rooms }), |out| table::rooms(&rooms, out))
    }

    async fn give(&self, room: RoomId, username: &str) -> Result<()> {
        let owner = self.account(username).await?.id;
        let given = self.store.give_room(room, owner, owner, self.clock.now());
        told(given.await)?;
        let data = json!({ "owner": owner });
        self.note(AuditAction::RoomOwner, room.to_string(), data)
            .await?;
        self.show_room(room).await
    }

    async fn delete_room(&self, room: RoomId) -> Result<()> {
        let at = self.clock.now();
        let span = self.settings.room_restore;
        let until = (!span.is_zero()).then(|| at.after(span));
        let by = self.anybody(room).await?;
        let deleted = self
            .store
            .delete_room(room, (by, As::ServerAdmin), until, at);
        told(deleted.await)?;
        self.note(AuditAction::RoomDelete, room.to_string(), json!({}))
            .await?;
        self.show_room(room).await
    }

    async fn restore_room(&self, room: RoomId) -> Result<()> {
        let nobody = UserId::from_uuid(room.uuid());
        let restored = self
            .store
            .restore_room(room, (nobody, As::ServerAdmin), self.clock.now());
        told(restored.await)?;
        self.note(AuditAction::RoomRestore, room.to_string(), json!({}))
            .await?;
        self.show_room(room).await
    }

    /// Whom the change is written down for: the store wants to know somebody.
    async fn anybody(&self, room: RoomId) -> Result<UserId> {
        if let Some(owner) = told(self.store.admin_room(room).await)?.owner {
            return Ok(owner.id);
        }
        let members = told(self.store.member_ids(room, 1).await)?;
        members.first().copied().context("nobody is in the room")
    }

    async fn show_room(&self, room: RoomId) -> Result<()> {
        let room = told(self.store.admin_room(room).await)?;
        self.show(&room, |out| table::rooms(std::slice::from_ref(&room), out))
    }

    async fn account(&self, username: &str) -> Result<Account> {
        let (admins, now) = (&self.settings.admins, self.clock.now());
        let account = self
            .store
            .account_named(&username.to_lowercase(), admins, now)
            .await;
        told(account).with_context(|| username.to_owned())
    }

    /// Writes what was done into the audit log, where it is nobody's of whom the server knows.
    async fn note(&self, action: AuditAction, target: String, data: Value) -> Result<()> {
        let entry = NewAuditEntry {
            id: self.clock.id::<OfEvent>().uuid(),
            at: self.clock.now(),
            action,
            actor: None,
            target: Some(target),
            ip: IpAddr::from(Ipv4Addr::LOCALHOST),
            request_id: "chatx-admin".to_owned(),
            data,
        };
        told(self.store.audit(&entry).await)
    }

    fn show(
        &self,
        answer: &impl Serialize,
        print: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        let mut out = io::stdout().lock();
        let shown = if self.json {
            serde_json::to_writer_pretty(&mut out, answer)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(out))
        } else {
            print(&mut out)
        };
        match shown {
            // Whoever reads the first lines only, as `head` does, has seen what they wanted.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// What the store answers, with its refusals in words.
fn told<T>(answer: store::Result<T>) -> Result<T> {
    answer.map_err(|error| match error {
        store::Error::Refused(refusal) => anyhow::anyhow!("{}", refusal.code.message()),
        error => error.into(),
    })
}
