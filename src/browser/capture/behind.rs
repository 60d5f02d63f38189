//! What a page looks like that a dialog has stopped.
//!
//! Such a page answers nothing, so no screenshot of it can be taken. What it painted last is still
//! there, and the screencast of a further session of Chromium's begins with that.

use std::convert::Infallible;
use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::page::{
    EnableParams, EventScreencastFrame, StartScreencastFormat, StartScreencastParams,
};
use chromiumoxide_cdp::cdp::browser_protocol::target::{
    AttachToTargetParams, DetachFromTargetParams,
};
use tokio::time::timeout;

use super::super::cdp::{Events, Session, Told};
use super::super::error::Error;
use super::super::target::Page;

const OPERATION: &str = "take a screenshot behind a dialog";

/// The first frame comes within a few hundredths of a second, or never.
const FRAME_WITHIN: Duration = Duration::from_secs(2);

/// What is in view, as a PNG in base64.
pub(super) async fn dialog(page: &Page) -> Result<String, Error> {
    let browser = page.session().browser();
    let attach = AttachToTargetParams::builder()
        .target_id(page.target().to_owned())
        .flatten(true)
        .build()
        .map_err(Error::builder(OPERATION))?;
    let attached = browser.execute(OPERATION, attach).await?;
    let session = browser.beside(attached.session_id.inner());
    let frames = session.tap(&["Page.screencastFrame"]);
    let frame = timeout(FRAME_WITHIN, first_frame(&session, frames)).await;
    session.forget(attached.session_id.inner());
    let detach = DetachFromTargetParams::builder()
        .session_id(attached.session_id)
        .build();
    // Should it not go, it goes with the page.
    let _ = browser.execute(OPERATION, detach).await;
    frame.map_err(|_| Error::Timeout {
        operation: OPERATION,
    })?
}

async fn first_frame(session: &Session, mut frames: Events) -> Result<String, Error> {
    // The page's renderer does not answer this, and what is not the renderer's has heard it.
    let enabling = async {
        let _ = session.execute(OPERATION, EnableParams::default()).await;
        std::future::pending::<Infallible>().await
    };
    let casting = async {
        let start = StartScreencastParams::builder()
            .format(StartScreencastFormat::Png)
            .build();
        session.execute(OPERATION, start).await?;
        loop {
            match frames.next().await {
                Some(Told::Event(event)) => {
                    if let Some(frame) = event.parse::<EventScreencastFrame>() {
                        return Ok(String::from(frame.data));
                    }
                }
                Some(Told::Lost(_)) => (),
                None => return Err(Error::Gone),
            }
        }
    };
    tokio::select! {
        biased;
        never = enabling => match never {},
        frame = casting => frame,
    }
}
