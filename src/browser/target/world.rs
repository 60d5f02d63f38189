//! Our scripts in a page: in each document an isolated world that the page itself can neither see
//! nor break.

use chromiumoxide_cdp::cdp::browser_protocol::page::AddScriptToEvaluateOnNewDocumentParams;
use chromiumoxide_cdp::cdp::js_protocol::runtime::AddBindingParams;

use super::super::cdp::Session;
use super::super::error::Error;
use super::super::scripts;

/// The name of our world in every document.
pub(super) const WORLD: &str = "ghostcast";
/// The function by which our scripts report.
pub(super) const BINDING: &str = "__ghostcastNotify";

/// Prepares every future document of a session's frames, and those that are there.
pub(super) async fn install(session: &Session) -> Result<(), Error> {
    const OPERATION: &str = "install our scripts";
    let binding = AddBindingParams::builder()
        .name(BINDING)
        .execution_context_name(WORLD)
        .build()
        .map_err(Error::builder(OPERATION))?;
    let on_new_document = AddScriptToEvaluateOnNewDocumentParams::builder()
        .source(scripts::all())
        .world_name(WORLD)
        .run_immediately(true)
        .build()
        .map_err(Error::builder(OPERATION))?;
    let in_page = AddScriptToEvaluateOnNewDocumentParams::builder()
        .source(scripts::IN_PAGE)
        .run_immediately(true)
        .build()
        .map_err(Error::builder(OPERATION))?;
    let (bound, installed, beside) = tokio::join!(
        session.execute(OPERATION, binding),
        session.execute(OPERATION, on_new_document),
        session.execute(OPERATION, in_page)
    );
    bound.and(installed.map(drop)).and(beside.map(drop))
}
