//! Accounts and sessions: the bodies of `/v1/auth` and `/v1/users`.

mod user;
mod credentials;
mod session;

pub use credentials::{
    ChangePassword, CloseAccount, CloseAccountBody, Login, LoginBody, LoginName, PasswordBody, Register, RegisterBody,
};
pub use session::{
    CookieQuery, CsrfToken, Refresh, RefreshBody, Session, SessionList, SignedIn, TokenPlace,
    TokenType,
};
pub use user::{
    ChangeProfile, FindUsers, Me, ProfileBody, User, UserList, UserSummary, UsersQuery,
};
