//! What listens in a document, as the debugger tells it.

use chromiumoxide_cdp::cdp::browser_protocol::dom_debugger::{
    EventListener, GetEventListenersParams,
};
use chromiumoxide_cdp::cdp::js_protocol::runtime::RemoteObjectId;

use super::super::error::Error;
use super::super::target::Frame;

/// Whether anything in a document listens for scrolls: then what a scroll leads to may go on for some
/// frames after it. One that cannot be asked may.
pub(in crate::browser) async fn heeds_scrolls(frame: &Frame) -> bool {
    listens(frame).await.unwrap_or(true)
}

async fn listens(frame: &Frame) -> Result<bool, Error> {
    let document = frame.document_of_page().await?;
    let of_window = async {
        let window = frame.window_of(&document).await?;
        let heeds = has_listener(frame, &window, 1).await;
        frame.let_go(window);
        heeds
    };
    let (inside, outside) = tokio::join!(has_listener(frame, &document, -1), of_window);
    frame.let_go(document);
    Ok(inside? || outside?)
}

async fn has_listener(frame: &Frame, of: &RemoteObjectId, depth: i64) -> Result<bool, Error> {
    let all = listeners(frame, of, depth).await?;
    Ok(all.iter().any(|one| one.r#type.starts_with("scroll")))
}

/// What listens on something in a document, and so many levels below it; -1 for all.
pub(super) async fn listeners(
    frame: &Frame,
    of: &RemoteObjectId,
    depth: i64,
) -> Result<Vec<EventListener>, Error> {
    const OPERATION: &str = "ask what listens";
    let params = GetEventListenersParams::builder()
        .object_id(of.clone())
        .depth(depth)
        .pierce(true)
        .build()
        .map_err(Error::builder(OPERATION))?;
    Ok(frame.session().execute(OPERATION, params).await?.listeners)
}
