//! What sessions cost: their browsers' processor time and memory, and the service's own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::Manager;
use crate::browser::{Usage, usage};
use crate::error::Error;
use crate::model::{SessionId, SessionRecord};

/// A measurement that is this old is one to compare with,
const COMPARED_MIN: Duration = Duration::from_secs(1);
/// unless it is older than this.
const COMPARED_MAX: Duration = Duration::from_secs(60);
/// Without one to compare with, this long is measured.
const MEASURED_FOR: Duration = Duration::from_millis(500);

/// What was measured last.
pub(super) type Measured = Arc<Mutex<Option<(Instant, HashMap<u32, Usage>)>>>;

/// What one browser, or the service, costs.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// The first of its processes.
    pub pid: u32,
    /// All that is counted since it began, and its memory now.
    pub usage: Usage,
    /// Percent of one processor, over [`Costs::over`].
    pub cpu_percent: f64,
}

/// What a session is used for.
#[derive(Debug, Clone)]
pub struct Busy {
    /// The session as it is.
    pub record: SessionRecord,
    /// Its browser's first process; none for one that is not running.
    pub browser_pid: Option<u32>,
    /// Bytes sent to viewers and to LiveKit.
    pub bytes_sent: u64,
    /// Actions that have ended.
    pub actions: u64,
}

/// What the service and its sessions cost.
#[derive(Debug, Clone)]
pub struct Costs {
    /// How long the processors' time was measured for.
    pub over: Duration,
    /// The service's own process.
    pub service: Option<Cost>,
    /// The browsers, by the first of their processes.
    pub browsers: Vec<(Cost, Vec<SessionId>)>,
    /// The sessions, oldest first.
    pub sessions: Vec<Busy>,
}

impl Manager {
    /// Measures what the service and its sessions cost.
    pub async fn costs(&self) -> Result<Costs, Error> {
        let sessions = self.busy();
        let leaders = self.browsers();
        let mut last = self.measured.lock().await;
        let is_useful =
            |(at, _): &(Instant, _)| (COMPARED_MIN..=COMPARED_MAX).contains(&at.elapsed());
        if !last.as_ref().is_some_and(is_useful) {
            *last = Some((Instant::now(), measure(&leaders).await?));
            tokio::time::sleep(MEASURED_FOR).await;
        }
        let (now, then) = (Instant::now(), last.take());
        let usage = measure(&leaders).await?;
        *last = Some((now, usage.clone()));
        drop(last);
        let (before, old) = then.unwrap_or_else(|| (now, HashMap::new()));
        let over = now - before;
        let cost = |pid: u32| {
            let usage = *usage.get(&pid)?;
            // What was not there before has had all its time since.
            let had = old.get(&pid).map_or(Duration::ZERO, |old| old.cpu);
            let spent = usage.cpu.saturating_sub(had);
            let cpu_percent = 100.0 * spent.as_secs_f64() / over.as_secs_f64().max(1e-3);
            Some(Cost {
                pid,
                usage,
                cpu_percent,
            })
        };
        let of = |pid: u32| {
            let here = sessions.iter().filter(|busy| busy.browser_pid == Some(pid));
            here.map(|busy| busy.record.session_id).collect()
        };
        Ok(Costs {
            over,
            service: cost(std::process::id()),
            browsers: leaders
                .iter()
                .filter_map(|pid| Some((cost(*pid)?, of(*pid))))
                .collect(),
            sessions,
        })
    }
}

async fn measure(leaders: &[u32]) -> Result<HashMap<u32, Usage>, Error> {
    let leaders = leaders.to_vec();
    let measuring = tokio::task::spawn_blocking(move || usage(&leaders));
    measuring
        .await
        .map_err(|error| Error::internal("the measurement broke").source(error))
}
