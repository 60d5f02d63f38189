//! What is kept in Redis of a job, and what is written when it changes.

use serde::{Deserialize, Serialize};

use super::super::Failure;
use super::super::row::Row;
use crate::model::{JobState, Queue};

/// Before all names. What is in braces keeps them together where there are several servers.
const PREFIX: &str = "{ghostcast}:";
/// The time of the server, in what is written.
pub(super) const NOW: &str = "@now";

/// A job as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) seq: u64,
    pub(super) version: i64,
    pub(super) writer: String,
    pub(super) row: Row,
}

/// What is to be written, and what it was made by.
#[derive(Debug, Default, Serialize)]
pub(super) struct Plan {
    pub(super) checks: Vec<[String; 2]>,
    pub(super) ops: Vec<Vec<String>>,
}

pub(super) fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

pub(super) fn job_key(job_id: &str) -> String {
    key(&format!("job:{job_id}"))
}

/// Where jobs of a queue wait: what anybody may run, or what that service alone can.
pub(super) fn waiting(queue: Queue, home: Option<&str>) -> String {
    key(&format!("queue:{}:{}", queue.as_str(), home.unwrap_or("*")))
}

pub(super) fn starts(queue: Queue) -> String {
    key(&format!("starts:{}", queue.as_str()))
}

/// A start of a job, as it is counted.
pub(super) fn start(row: &Row) -> String {
    format!("{}:{}", row.job.job_id, row.run)
}

/// For whom, and where, a job works.
fn who(row: &Row) -> String {
    match (&row.job.user_id, &row.job.platform) {
        (Some(user), Some(platform)) => format!("{user}\u{1f}{platform}"),
        _ => String::new(),
    }
}

fn command(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Stored {
    /// Its place among those that wait: of two of one time, the earlier one.
    fn member(&self) -> String {
        format!(
            "{:020}:{}:{}",
            self.seq,
            self.row.job.job_id,
            who(&self.row)
        )
    }

    /// The sets that it is in: each with its place there, and what it is called.
    fn places(&self) -> Vec<(String, String, String)> {
        let (row, id) = (&self.row, &self.row.job.job_id);
        let seq = self.seq.to_string();
        let mut places = vec![(key("all"), seq.clone(), id.clone())];
        let state = row.job.state;
        if state == JobState::Queued {
            let queue = waiting(row.job.queue, row.home.as_deref());
            places.push((queue, row.run_at.to_string(), self.member()));
        }
        if state == JobState::Running {
            places.push((key("running"), seq.clone(), format!("{id}:{}", who(row))));
        }
        if state.is_held() {
            places.push((key("held"), seq.clone(), id.clone()));
        }
        if row.asking_session().is_some() {
            places.push((key("asking"), seq, id.clone()));
        }
        if let Some(at) = row.finished_at {
            places.push((key("over"), at.to_string(), id.clone()));
        }
        places
    }

    /// The note that is its, until it is over.
    fn note(&self) -> Option<String> {
        let note_id = self.row.job.note_id()?;
        let is_over = self.row.job.state.is_over();
        (!is_over).then(|| key(&format!("note:{note_id}")))
    }
}

impl Plan {
    pub(super) fn check(&mut self, key: String, value: &str) {
        self.checks.push([key, value.to_owned()]);
    }

    pub(super) fn op(&mut self, words: &[&str]) {
        self.ops.push(command(words));
    }

    /// A job comes to be another one, or comes, or goes.
    pub(super) fn turn(
        &mut self,
        before: Option<&Stored>,
        after: Option<&Stored>,
    ) -> Result<(), Failure> {
        let places = |stored: Option<&Stored>| stored.map(Stored::places).unwrap_or_default();
        let (old, new) = (places(before), places(after));
        for (set, _, member) in old.iter().filter(|place| !new.contains(place)) {
            self.op(&["ZREM", set, member]);
        }
        for (set, score, member) in new.iter().filter(|place| !old.contains(place)) {
            self.op(&["ZADD", set, score, member]);
        }
        let (old, new) = (before.and_then(Stored::note), after.and_then(Stored::note));
        match (&old, &new, after) {
            (_, Some(note), Some(after)) if old != new => {
                self.op(&["SET", note, &after.row.job.job_id]);
            }
            (Some(note), None, _) => self.op(&["DEL", note]),
            _ => (),
        }
        match (after, before) {
            (Some(after), _) => {
                let id = &after.row.job.job_id;
                self.op(&["SET", &job_key(id), &serde_json::to_string(after)?]);
                self.op(&["ZADD", &key("changed"), NOW, id]);
            }
            (None, Some(before)) => {
                let id = &before.row.job.job_id;
                self.op(&["DEL", &job_key(id)]);
                self.op(&["ZREM", &key("changed"), id]);
            }
            (None, None) => (),
        }
        Ok(())
    }
}

/// A job as its text has it. What another build has left unreadable is told of and passed over.
pub(super) fn read(text: Option<String>) -> Option<(String, Stored)> {
    let text = text?;
    match serde_json::from_str::<Stored>(&text) {
        Ok(mut stored) => {
            stored.row = stored.row.dated();
            Some((text, stored))
        }
        Err(error) => {
            tracing::warn!(%error, "a job cannot be read and is left");
            None
        }
    }
}
