//! The settings of Chromium.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::Allowlist;
use crate::model::session::{CaptureMode, limits};

/// Chromium.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Browser {
    /// The executable; empty to look for chromium-headless-shell, then chromium, then Chrome.
    pub executable: PathBuf,
    /// How a page's pixels come to the video.
    pub capture: CaptureMode,
    /// Chromium's own sandbox: `auto` turns it off for root only, where it cannot work.
    pub sandbox: Sandbox,
    /// Further flags for Chromium, each with or without its leading dashes.
    pub extra_args: Vec<String>,
    /// Sessions that share one browser process.
    pub contexts_per_process: usize,
    /// A process is retired after it served this many sessions.
    pub sessions_per_process: usize,
    /// Keep one process warm, so that the next session starts at once.
    pub keep_warm: bool,
    /// A process must answer its CDP socket within this time of its start, milliseconds.
    pub launch_timeout_ms: u64,
    /// How often a browser is asked whether it answers, milliseconds.
    pub probe_interval_ms: u64,
    /// A browser that does not answer a probe for this long counts as hung, milliseconds.
    pub probe_timeout_ms: u64,
    /// Where profile directories are made; empty for the system's temporary directory.
    pub work_dir: PathBuf,
    /// The only directory whose files may be uploaded by their paths; empty for none.
    pub uploads_dir: PathBuf,
    /// Refuse cloud metadata addresses (169.254.169.254 and the like).
    pub deny_metadata: bool,
    /// Host patterns that any session's page may reach; empty for no restriction. A session's own
    /// list can only narrow them.
    pub allowed_domains: Vec<String>,
    /// Refuse this machine and private networks to every session's page.
    pub block_private_networks: bool,
    /// No session is started while all browsers together take so much memory (their proportional set
    /// size), bytes; 0 for four fifths of what the machine, or the service's control group, has.
    pub memory_bytes_max: u64,
    /// A page whose process takes more memory than this is ended, bytes; 0 for no bound.
    pub renderer_bytes_max: u64,
}

/// Chromium's own sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sandbox {
    /// On, except for root.
    #[default]
    Auto,
    /// Always on.
    On,
    /// Always off.
    Off,
}

impl Default for Browser {
    fn default() -> Self {
        Self {
            executable: PathBuf::new(),
            capture: CaptureMode::Auto,
            sandbox: Sandbox::Auto,
            extra_args: Vec::new(),
            contexts_per_process: 8,
            sessions_per_process: 200,
            keep_warm: true,
            launch_timeout_ms: 15_000,
            probe_interval_ms: 2_000,
            probe_timeout_ms: 5_000,
            work_dir: PathBuf::new(),
            uploads_dir: PathBuf::new(),
            deny_metadata: true,
            allowed_domains: Vec::new(),
            block_private_networks: false,
            memory_bytes_max: 0,
            renderer_bytes_max: 4 << 30,
        }
    }
}

impl Browser {
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.allowed_domains.len() > limits::ALLOWED_DOMAINS {
            return Err(
                Error::invalid_input("browser.allowed_domains has too many patterns")
                    .hint(format!("Use at most {}.", limits::ALLOWED_DOMAINS)),
            );
        }
        let uploads = &self.uploads_dir;
        if !uploads.as_os_str().is_empty() && !uploads.has_root() {
            return Err(
                Error::invalid_input("browser.uploads_dir is no path from the root")
                    .hint("Write it whole, such as \"/srv/uploads\", or leave it empty for none."),
            );
        }
        Allowlist::parse(&self.allowed_domains).map_err(|mut error| {
            error.message = format!("browser.{}", error.message).into();
            error
        })?;
        Ok(())
    }
}
