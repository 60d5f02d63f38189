//! How a Chromium of our own is started: which executable, and with which flags.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::AccessFlags;
use tokio::process::Command;

use super::super::error::Error;
use super::super::gate::BROWSER_ARGUMENTS;
use crate::config;
use crate::display::Display;

/// Where Chromium is looked for, best first: the headless shell is the lightest that screencasts.
/// Debian's `/usr/bin` names are shell scripts that stay around; the binary itself is better.
const EXECUTABLES: [&str; 10] = [
    "/usr/lib/chromium/chromium-headless-shell",
    "/usr/bin/chromium-headless-shell",
    "/usr/local/bin/chromium-headless-shell",
    "/usr/lib/chromium/chromium",
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/local/bin/chromium",
    "/usr/bin/google-chrome-stable",
    "/usr/bin/google-chrome",
    "/opt/google/chrome/chrome",
];

/// Flags of a process that draws to our display: windows without anything of the browser's own, and none of the
/// questions and hints that it has for a person.
const DISPLAY_FLAGS: [&str; 7] = [
    "ozone-platform=wayland",
    "kiosk",
    "no-startup-window",
    "hide-crash-restore-bubble",
    "test-type",
    "disable-infobars",
    // What a page opens by itself is a tab, as it is in a browser without windows.
    "disable-popup-blocking",
];
/// What takes Chromium its own sandbox.
const NO_SANDBOX: &str = "no-sandbox";

/// Flags of every process. Light (no process for the network alone: 10 MB; no page draws more than 60 times a
/// second, which lets one that has fallen behind its display catch up). Quiet (no traffic of
/// Chromium's own), no throttling of pages that nobody looks at, known colours. What a page puts off
/// after input runs at once and not after the next frame: the wait for rest is shorter by up to a
/// frame. A new document is shown as it is, and not held back for half a second in which it has nothing to show.
/// No pages of Chromium's own behind each window (two: 37 MB). What keeps traffic from going round the gate is
/// [`BROWSER_ARGUMENTS`].
const FLAGS: [&str; 23] = [
    "autoplay-policy=no-user-gesture-required",
    "disable-background-networking",
    "disable-background-timer-throttling",
    "disable-backgrounding-occluded-windows",
    "disable-breakpad",
    "disable-client-side-phishing-detection",
    "disable-component-update",
    "disable-default-apps",
    "disable-domain-reliability",
    "disable-extensions",
    "disable-features=Translate,OptimizationHints,MediaRouter,InterestFeedContentSuggestions,PaintHolding,\
     AutofillServerCommunication,CertificateTransparencyComponentUpdater,HttpsUpgrades,\
     DeferRendererTasksAfterInput,WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,\
     PreloadTopChromeWebUI",
    "disable-gpu",
    "enable-features=NetworkServiceInProcess2,ThrottleMainFrameTo60Hz",
    "disable-hang-monitor",
    "disable-renderer-backgrounding",
    "disable-sync",
    "force-color-profile=srgb",
    "metrics-recording-only",
    "mute-audio",
    "no-default-browser-check",
    "no-first-run",
    "no-pings",
    "password-store=basic",
];

/// Where a process keeps its files, and how it reaches the network.
#[derive(Debug)]
pub(crate) struct Home {
    /// Its profile; gone with it unless it is kept.
    pub(super) profile: PathBuf,
    /// Its temporary files; gone with it.
    pub(super) scratch: PathBuf,
    /// The proxy of the process; without one, each context has its own.
    pub(super) proxy: Option<String>,
    /// What its windows are drawn to; without one, it has none.
    pub(super) display: Option<Display>,
}

/// Whether a Chromium has no windows at all, as far as its name tells.
fn is_shell(path: &Path) -> bool {
    let named = |path: &Path| path.to_string_lossy().contains("headless");
    named(path) || path.canonicalize().is_ok_and(|path| named(&path))
}

/// The Chromium that draws to a display, as far as it is known.
pub fn executable_with_windows(configured: &Path) -> Result<PathBuf, Error> {
    if !configured.as_os_str().is_empty() {
        let found = executable(configured)?;
        return match is_shell(&found) {
            true => Err(Error::NoWindows {
                path: Some(found.display().to_string()),
            }),
            false => Ok(found),
        };
    }
    let mut known = EXECUTABLES.iter().map(Path::new);
    let found = known.find(|path| !is_shell(path) && path.is_file());
    found
        .map(Path::to_owned)
        .ok_or(Error::NoWindows { path: None })
}

/// The Chromium to use: the configured one, or the best that is installed.
pub fn executable(configured: &Path) -> Result<PathBuf, Error> {
    if !configured.as_os_str().is_empty() {
        // Without a slash it is a name for the system to look for, which launching does.
        let is_name = configured.components().count() == 1 && configured.is_relative();
        let is_there =
            || configured.is_file() && nix::unistd::access(configured, AccessFlags::X_OK).is_ok();
        return if is_name || is_there() {
            Ok(configured.to_owned())
        } else {
            Err(Error::NotExecutable {
                path: configured.display().to_string(),
            })
        };
    }
    let found = EXECUTABLES
        .iter()
        .map(Path::new)
        .find(|path| path.is_file());
    found.map(Path::to_owned).ok_or(Error::NoExecutable)
}

/// Why Chromium has no sandbox of its own, where it has none.
pub fn unsandboxed(config: &config::Browser) -> Option<&'static str> {
    let is_given = |flag: &String| flag.trim_start_matches('-') == NO_SANDBOX;
    match config.sandbox {
        config::Sandbox::Off => Some("browser.sandbox is \"off\""),
        config::Sandbox::Auto if nix::unistd::geteuid().is_root() => {
            Some("the service runs as root")
        }
        _ if config.extra_args.iter().any(is_given) => Some("browser.extra_args has --no-sandbox"),
        config::Sandbox::Auto | config::Sandbox::On => None,
    }
}

pub(super) fn command(path: &Path, home: &Home, config: &config::Browser) -> Command {
    let mut command = Command::new(path);
    let extra = config
        .extra_args
        .iter()
        .map(|flag| flag.trim_start_matches('-'));
    let gate = BROWSER_ARGUMENTS
        .into_iter()
        .filter(|flag| home.proxy.is_none() || !flag.starts_with("proxy-server="));
    let proxy = home.proxy.as_ref();
    command
        .args(
            FLAGS
                .into_iter()
                .chain(gate)
                .chain(extra)
                .map(|flag| format!("--{flag}")),
        )
        .args((home.display.is_none() && !is_shell(path)).then_some("--headless"))
        .args(unsandboxed(config).map(|_| format!("--{NO_SANDBOX}")))
        .args(proxy.map(|proxy| format!("--proxy-server={proxy}")))
        .arg("--remote-debugging-port=0")
        .arg(format!("--user-data-dir={}", home.profile.display()))
        // Chromium's temporary files go with it. One with windows has a socket among them.
        .env(
            "TMPDIR",
            home.display.as_ref().map_or(&*home.scratch, Display::dir),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    match &home.display {
        Some(display) => {
            let flags = DISPLAY_FLAGS.map(|flag| format!("--{flag}"));
            command
                .args(flags)
                .envs(display.environment())
                .env_remove("DISPLAY")
        }
        // The blank page is in the profile's own context, which is told by it.
        None => command.arg("about:blank"),
    };
    command
}
