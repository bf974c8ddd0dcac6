//! What people say about themselves, told to those who know them. Storing it is the store's.

use protocol::accounts::{User, UserSummary};

use crate::{App, news::Word};

/// Tells those who share a room with somebody in which people are told of by name, and their own other devices,
/// what they are called and up to now. What is lost is read when somebody looks.
pub async fn tell(app: &App, user: &User) {
    let most = app.settings.limits.presence_named_max_members;
    let mut knowing = match app.store.acquaintances(user.id, most).await {
        Ok(knowing) => knowing,
        Err(error) => {
            tracing::debug!(user.id = %user.id, %error, "nobody is told of a profile");
            return;
        }
    };
    if !knowing.contains(&user.id) {
        knowing.push(user.id);
    }
    let word = Word::User {
        user: UserSummary {
            id: user.id,
            username: user.username.clone(),
            display_name: user.display_name.clone(),
        },
        status: user.status.clone(),
    };
    app.news.tell(knowing, word).await;
}
