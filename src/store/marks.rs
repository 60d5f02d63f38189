//! What the service notes for itself in the registry: words for later, and failures in a row.

use rusqlite::{OptionalExtension, params};

use super::Registry;
use crate::error::Error;

impl Registry {
    /// Failures in a row on this machine, of a user on a platform.
    pub async fn streak(&self, user_id: &str, platform: &str) -> Result<u32, Error> {
        let (user_id, platform) = (user_id.to_owned(), platform.to_owned());
        self.work(move |file| {
            let streak = file
                .query_row(
                    "SELECT failures FROM streaks WHERE user_id = ? AND platform = ?",
                    params![user_id, platform],
                    |row| row.get(0),
                )
                .optional()?;
            Ok(streak.unwrap_or_default())
        })
        .await
    }

    /// Notes failures in a row; none is nothing to note.
    pub async fn set_streak(&self, user: &str, platform: &str, failures: u32) -> Result<(), Error> {
        let (user_id, platform) = (user.to_owned(), platform.to_owned());
        self.work(move |file| {
            match failures {
                0 => file.execute(
                    "DELETE FROM streaks WHERE user_id = ? AND platform = ?",
                    params![user_id, platform],
                ),
                _ => file.execute(
                    "INSERT OR REPLACE INTO streaks VALUES (?, ?, ?)",
                    params![user_id, platform, failures],
                ),
            }?;
            Ok(())
        })
        .await
    }

    /// A word that the service has left for itself.
    pub async fn mark(&self, name: &'static str) -> Result<Option<String>, Error> {
        self.work(move |file| {
            let mark = file
                .query_row("SELECT value FROM marks WHERE name = ?", [name], |row| {
                    row.get(0)
                })
                .optional()?;
            Ok(mark)
        })
        .await
    }

    /// Leaves a word for later.
    pub async fn set_mark(&self, name: &'static str, value: String) -> Result<(), Error> {
        self.work(move |file| {
            file.execute(
                "INSERT OR REPLACE INTO marks VALUES (?, ?)",
                params![name, value],
            )?;
            Ok(())
        })
        .await
    }
}
