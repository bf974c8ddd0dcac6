//! What server admins see and change: accounts, rooms, and what all of it weighs. The bodies of `/v1/admin`,
//! beside the audit log, the nodes and the reports.

mod accounts;
mod rooms;
mod storage;

pub use accounts::{
    Account, AccountBody, AccountList, AccountsQuery, ChangeAccount, FindAccounts, ResetLink,
};
pub use rooms::{
    AdminRoom, AdminRoomBody, AdminRoomList, AdminRoomsQuery, ChangeAdminRoom, FindAdminRooms,
};
pub use storage::{LargeRoom, Storage};

/// Reads `true` or `false`, as a query string has it.
fn truth(raw: &str) -> Result<bool, crate::Violation> {
    raw.parse().map_err(|_| crate::Violation::Invalid)
}
