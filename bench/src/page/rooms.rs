//! The page of somebody who is in hundreds of rooms: their list, and going through it by a few letters.

use anyhow::Result;
use serde_json::json;
use testkit::{Chromium, Page};

use super::{Spent, Way, enter};
use crate::{
    account::{create_room, join, post},
    servers::chatx::Node,
};

/// How many there are.
const ROOMS: usize = 500;
/// What is typed, one after the other.
const LETTERS: [&str; 6] = ["b", "a", "y", " ", "4", "2"];

/// The ids of so many rooms, in each of which something was said.
pub(super) async fn furnish(node: &Node, token: &str) -> Result<Vec<String>> {
    let address = node.chatx.address();
    let mut rooms = Vec::new();
    for number in 0..ROOMS {
        let room = create_room(&address, token, &format!("Bay {number}")).await?;
        let message =
            json!({"body": format!("the **tide** of bay {number} turns before noon, and _so_ on")});
        let path = format!("/v1/rooms/{room}/messages");
        post(&address, &path, Some(token), &message).await?;
        rooms.push(room);
    }
    Ok(rooms)
}

impl Way<'_> {
    /// Notes the longest task while the list is drawn, gone through by typing, and one of the rooms is opened.
    pub(super) async fn read_list(
        &mut self,
        chromium: &Chromium,
        node: &Node,
        rooms: &[String],
    ) -> Result<()> {
        let name = format!("member{}", self.run);
        let (page, token) = enter(chromium, node, &rooms[0], &name).await?;
        for room in &rooms[1..] {
            join(&node.chatx.address(), &token, room).await?;
        }
        page.reload().await?;
        self.begin(&page).await?;
        self.spent = Spent::default();
        page.until(&format!("rooms_shown() === {ROOMS}")).await?;
        page.until("document.querySelector('[data-state=live]') !== null")
            .await?;
        self.step(&page).await?;
        self.take(&page).await?;

        page.press("Control+k").await?;
        page.until_visible("[data-testid=switch-input]").await?;
        self.step(&page).await?;
        for letter in LETTERS {
            page.press(letter).await?;
            frame(&page).await?;
            self.step(&page).await?;
        }
        page.until(
            "document.querySelector('[role=option][aria-selected=true]')?.innerText.endsWith('Bay 42')",
        )
        .await?;
        self.take(&page).await?;

        page.press("Enter").await?;
        page.until("first_seen() > 0").await?;
        self.step(&page).await?;
        self.take(&page).await
    }
}

async fn frame(page: &Page) -> Result<()> {
    page.evaluate("new Promise(requestAnimationFrame)")
        .await
        .map(drop)
}
