//! Browser processes, shared: a session is an isolated context in one of them.
//!
//! A context costs a tenth of a process in time and memory (54 to 91 ms, some 41 MB). The price
//! is shared fate: a crash takes the sessions of one process, so a process holds a bounded
//! number of them and is retired after a while.

use std::sync::Arc;

use tokio::sync::{Mutex, watch};
use tokio_util::task::TaskTracker;

use super::error::Error;
use super::gate::OwnAddresses;
use super::process::{Loss, Process};
use super::workdir::{self, Swept, WorkDir};
use crate::config;

/// All browser processes of the service.
#[derive(Debug, Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: config::Browser,
    tracker: TaskTracker,
    work_dir: WorkDir,
    own: OwnAddresses,
    /// Held while a process is started, so that ten sessions at once start one and not ten.
    slots: Mutex<Vec<Slot>>,
}

#[derive(Debug)]
struct Slot {
    process: Arc<Process>,
    in_use: usize,
    served: usize,
}

/// One context of one process; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    pool: Pool,
    pub(super) process: Arc<Process>,
    pub(super) context: String,
    released: bool,
}

impl Pool {
    /// A pool without processes. Clears what dead runs of the service left behind.
    pub fn new(config: config::Browser, tracker: TaskTracker) -> std::io::Result<(Self, Swept)> {
        let swept = workdir::sweep(&config.work_dir);
        let work_dir = WorkDir::create(&config.work_dir)?;
        let own = OwnAddresses::default();
        let inner = Inner {
            config,
            tracker,
            work_dir,
            own,
            slots: Mutex::new(Vec::new()),
        };
        Ok((
            Self {
                inner: Arc::new(inner),
            },
            swept,
        ))
    }

    /// The service's own addresses, which no page may reach.
    pub fn own_addresses(&self) -> OwnAddresses {
        self.inner.own.clone()
    }

    /// Starts one process ahead of need.
    pub async fn warm_up(&self) -> Result<(), Error> {
        let mut slots = self.inner.slots.lock().await;
        self.free_slot(&mut slots).await.map(drop)
    }

    /// Makes an isolated context whose traffic goes by `proxy_url`.
    pub async fn acquire(&self, proxy_url: &str) -> Result<Lease, Error> {
        let process = {
            let mut slots = self.inner.slots.lock().await;
            let slot = self.free_slot(&mut slots).await?;
            slot.in_use += 1;
            slot.served += 1;
            Arc::clone(&slot.process)
        };
        let mut lease = Lease {
            pool: self.clone(),
            process,
            context: String::new(),
            released: false,
        };
        lease.context = lease.process.create_context(proxy_url).await?;
        Ok(lease)
    }

    /// Ends every process.
    pub async fn shut_down(&self) {
        for slot in self.inner.slots.lock().await.drain(..) {
            slot.process.stop();
        }
    }

    /// The number of processes and of contexts in them.
    pub async fn counts(&self) -> (usize, usize) {
        let slots = self.inner.slots.lock().await;
        (slots.len(), slots.iter().map(|slot| slot.in_use).sum())
    }

    async fn free_slot<'a>(&self, slots: &'a mut Vec<Slot>) -> Result<&'a mut Slot, Error> {
        slots.retain(|slot| slot.process.is_alive());
        let config = &self.inner.config;
        let free = slots.iter().position(|slot| {
            slot.in_use < config.contexts_per_process && slot.served < config.sessions_per_process
        });
        let index = match free {
            Some(index) => index,
            None => {
                let launch = Process::launch(
                    config,
                    &self.inner.work_dir,
                    &self.inner.own,
                    &self.inner.tracker,
                );
                slots.push(Slot {
                    process: launch.await?,
                    in_use: 0,
                    served: 0,
                });
                slots.len() - 1
            }
        };
        Ok(&mut slots[index])
    }

    async fn give_back(&self, process: &Arc<Process>) {
        let mut slots = self.inner.slots.lock().await;
        let Some(index) = slots
            .iter()
            .position(|slot| Arc::ptr_eq(&slot.process, process))
        else {
            return;
        };
        slots[index].in_use -= 1;
        let config = &self.inner.config;
        let retired = slots[index].served >= config.sessions_per_process;
        let spare = slots.len() > 1 || !config.keep_warm;
        if slots[index].in_use == 0 && (retired || spare) {
            slots.remove(index).process.stop();
        }
    }
}

impl Lease {
    /// Tells, now or later, how the process was lost.
    pub fn loss(&self) -> watch::Receiver<Option<Loss>> {
        self.process.loss()
    }

    /// Closes the context with all its pages and gives the place back.
    pub async fn release(mut self) {
        self.released = true;
        if !self.context.is_empty() {
            self.process.dispose_context(&self.context).await;
        }
        self.pool.give_back(&self.process).await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        let (pool, process) = (self.pool.clone(), Arc::clone(&self.process));
        let context = std::mem::take(&mut self.context);
        self.pool.inner.tracker.spawn(async move {
            if !context.is_empty() {
                process.dispose_context(&context).await;
            }
            pool.give_back(&process).await;
        });
    }
}
