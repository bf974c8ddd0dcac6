//! Accounts and sessions: the bodies of `/v1/auth` and `/v1/users`.

mod user;
mod credentials;
mod links;
mod totp;
mod providers;
mod session;

pub use credentials::{
    ChangePassword, CloseAccount, CloseAccountBody, Login, LoginBody, LoginName, PasswordBody,
    Register, RegisterBody,
};
pub use links::{ConfirmReset, Reset, ResetBody, ResetConfirmBody, Verify, VerifyBody};
pub use providers::{
    Callback, CallbackQuery, Identity, IdentityList, LinkIdentity, LinkIdentityBody, LinkStarted,
    Provider, ProviderList, Visit, VisitQuery,
};
pub use session::{
    CookieQuery, CsrfToken, Refresh, RefreshBody, Session, SessionList, SignedIn, TokenPlace,
    TokenType,
};
pub use totp::{
    BeginTotp, BeginTotpBody, ConfirmTotp, ConfirmTotpBody, NewTotp, RecoveryCodes, SecondFactor,
    ShowTotp, ShowTotpBody,
};
pub use user::{
    ChangeProfile, FindUsers, Me, ProfileBody, User, UserList, UserSummary, UsersQuery,
};
