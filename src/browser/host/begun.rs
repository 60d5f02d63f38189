//! What a Chromium that has just been started tells: where it is spoken to, and what it begins with.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::target::{
    CloseTargetParams, GetBrowserContextsParams, GetTargetsParams,
};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

use super::super::cdp::Session;
use super::super::error::Error;

/// Where it is spoken to, told within that time.
pub(super) async fn announced(
    child: &mut Child,
    within: Duration,
    path: &Path,
) -> Result<String, Error> {
    let path = path.display().to_string();
    match timeout(within, debugger_url(child)).await {
        Err(_) => Err(Error::Mute {
            path,
            milliseconds: within.as_millis(),
        }),
        Ok(Err(error)) => Err(Error::Launch {
            path,
            source: error.into(),
        }),
        Ok(Ok(Err(said))) => Err(Error::Ended { path, said }),
        Ok(Ok(Ok(url))) => Ok(url),
    }
}

/// Closes the blank page that Chromium begins with: its renderer alone takes 30 MB. Answers the context
/// that it was in.
pub(super) async fn close_first_page(browser: &Session) -> Option<String> {
    let targets = browser.execute("list the pages", GetTargetsParams::default());
    let mut context = None;
    for target in targets.await.ok()?.target_infos {
        if target.r#type == "page" {
            context = target.browser_context_id.map(|id| id.inner().to_owned());
            // A page that cannot be closed only costs memory.
            let close = CloseTargetParams::new(target.target_id);
            let _ = browser.execute("close the first page", close).await;
        }
    }
    context
}

/// The context that a browser without pages has by itself.
pub(super) async fn default_context(browser: &Session) -> Option<String> {
    let asking = browser.execute(
        "find the profile's context",
        GetBrowserContextsParams::default(),
    );
    let context = asking.await.ok()?.default_browser_context_id?;
    Some(context.inner().to_owned())
}

/// The socket of `ws://127.0.0.1:PORT/…`.
pub(super) fn socket_address(url: &str) -> Option<SocketAddr> {
    url.strip_prefix("ws://")?.split('/').next()?.parse().ok()
}

/// Reads Chromium's own announcement of its CDP socket, then keeps its stderr flowing. When it ends
/// without one: the last that it said.
async fn debugger_url(child: &mut Child) -> std::io::Result<Result<String, String>> {
    const ANNOUNCEMENT: &str = "DevTools listening on ";
    let stderr = child.stderr.take();
    let stderr = stderr.ok_or_else(|| std::io::Error::other("its stderr is not piped"))?;
    let mut lines = BufReader::new(stderr).lines();
    let mut last = String::new();
    while let Some(line) = lines.next_line().await? {
        if let Some(url) = line.strip_prefix(ANNOUNCEMENT) {
            let url = url.trim().to_owned();
            // Chromium blocks when nobody reads what it writes. Ends with the process.
            tokio::spawn(async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    tracing::trace!(target: "chromium", "{line}");
                }
            });
            return Ok(Ok(url));
        }
        last = line;
    }
    Ok(Err(last))
}
