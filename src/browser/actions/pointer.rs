//! click, type and scroll.

use serde_json::json;

use super::super::elements::{self, Located};
use super::super::input::{self, Key};
use super::navigate::explain;
use super::settle::{Settled, after_input};
use super::{Done, Stage, browser_failed};
use crate::media::cursor::Cue;
use crate::model::Point;
use crate::model::command::{
    ActionError, ActionErrorKind, Click, MouseButton, Scroll, Target, Type,
};

pub(super) async fn click(stage: Stage<'_>, params: &Click) -> Result<Done, ActionError> {
    let (at, element) = match params.target {
        Target::Index(index) => {
            let located = find(elements::locate(stage.page, index).await, index)?;
            (point_of(&located)?, Some(located))
        }
        Target::Point(point) => (inside(stage, point)?, None),
    };
    let Click { button, count, .. } = *params;
    let has_waited = stage.show(Cue::MoveTo { at }).await;
    let at = match params.target {
        // The page may have moved while the cursor was on its way.
        Target::Index(index) if has_waited => {
            point_of(&find(elements::locate(stage.page, index).await, index)?)?
        }
        Target::Index(_) | Target::Point(_) => at,
    };
    stage.hint(Cue::Press { at, count });
    let before = stage.page.loading();
    // What the middle button opens is for later.
    let behind = Behind::of(stage, button == MouseButton::Middle);
    input::click(stage.page, at, button, count)
        .await
        .map_err(browser_failed)?;
    let settled = rest(stage, &before).await?;
    drop(behind);
    let mut done = Done::settled(settled).with("x", at.x).with("y", at.y);
    if let Some(element) = element {
        done = done.with(
            "element",
            json!({ "role": element.role, "name": element.name }),
        );
    }
    Ok(done)
}

/// Pages that are opened while this lives stay behind the current one.
struct Behind<'a>(Option<Stage<'a>>);

impl<'a> Behind<'a> {
    fn of(stage: Stage<'a>, is_behind: bool) -> Self {
        stage.tabs.open_behind(is_behind);
        Self(is_behind.then_some(stage))
    }
}

impl Drop for Behind<'_> {
    fn drop(&mut self) {
        if let Some(stage) = self.0 {
            stage.tabs.open_behind(false);
        }
    }
}

pub(super) async fn type_text(stage: Stage<'_>, params: &Type) -> Result<Done, ActionError> {
    // Refused before the field is touched, and looked at again when it is: the page may have gone.
    resolve(stage, params)?;
    if let Some(index) = params.index {
        let prepared = elements::prepare_typing(stage.page, index, params.clear).await;
        let field = find(prepared, index)?;
        let _ = stage.is_password.set(field.is_password);
        stage
            .show(Cue::Typing {
                at: point_of(&field)?,
            })
            .await;
    } else {
        let field: Focused = stage
            .page
            .evaluate("__ghostcast.activeEditable()")
            .await
            .map_err(browser_failed)?;
        if !field.ok {
            let error = ActionError::new(
                ActionErrorKind::ElementNotEditable,
                "Nothing that takes text has the focus. Give the index of a field, or click one \
                 first.",
            );
            let fields: Result<serde_json::Value, _> =
                stage.page.evaluate("__ghostcast.fields()").await;
            let candidates = fields.unwrap_or_default();
            return Err(error.context(json!({ "candidates": candidates, "cover": null })));
        }
        let is_password = stage.page.evaluate("__ghostcast.activeIsPassword()").await;
        let _ = stage.is_password.set(is_password.map_err(browser_failed)?);
        if let Some(area) = field.area {
            stage.show(Cue::Typing { at: area.centre() }).await;
        }
        if params.clear {
            let select = "document.execCommand('selectAll')";
            stage
                .page
                .evaluate::<bool>(select)
                .await
                .map_err(browser_failed)?;
        }
    }
    let before = stage.page.loading();
    let text = resolve(stage, params)?;
    if params.clear && text.is_empty() {
        input::press(stage.page, Key::Delete)
            .await
            .map_err(browser_failed)?;
    }
    input::type_text(stage.page, &text)
        .await
        .map_err(browser_failed)?;
    if params.submit {
        input::press(stage.page, Key::Enter)
            .await
            .map_err(browser_failed)?;
    }
    Ok(Done::settled(rest(stage, &before).await?))
}

/// What is typed into the page that is there now.
fn resolve(stage: Stage<'_>, params: &Type) -> Result<String, ActionError> {
    let page = stage.page.loading().url;
    stage.secrets.resolve(&params.text, Some(&page))
}

pub(super) async fn scroll(stage: Stage<'_>, params: &Scroll) -> Result<Done, ActionError> {
    let viewport = stage.page.viewport();
    let middle = Point::new(
        f64::from(viewport.width) / 2.0,
        f64::from(viewport.height) / 2.0,
    );
    let unit = params.direction.unit();
    let by = Point::new(unit.x * params.amount, unit.y * params.amount);
    stage.hint(Cue::Scrolling {
        at: middle,
        direction: params.direction,
    });
    let before = stage.page.loading();
    let moved = elements::scroll(stage.page, params.index, by).await;
    let mut offsets = match params.index {
        Some(index) => find(moved, index)?,
        None => moved.map_err(browser_failed)?,
    };
    if offsets.moved == Some(false) {
        // Some pages (maps, canvases) scroll by the wheel only.
        input::wheel(stage.page, middle, by)
            .await
            .map_err(browser_failed)?;
        let again = elements::scroll(stage.page, None, Point::new(0.0, 0.0)).await;
        let again = again.map_err(browser_failed)?;
        offsets.moved = Some(again.point() != offsets.point());
    }
    let settled = rest(stage, &before).await?;
    let at = offsets.point().unwrap_or_default();
    Ok(Done::settled(settled)
        .with("moved", offsets.moved.unwrap_or(false))
        .with(
            "scroll",
            json!({ "x": at.x, "y": at.y, "max_x": offsets.max_x, "max_y": offsets.max_y }),
        ))
}

/// What has the focus.
#[derive(Debug, serde::Deserialize)]
struct Focused {
    ok: bool,
    #[serde(rename = "box")]
    area: Option<elements::Box>,
}

/// Waits for the page to come to rest; a navigation that the input began and that failed is the
/// action's failure.
async fn rest(
    stage: Stage<'_>,
    before: &super::super::loading::Loading,
) -> Result<Settled, ActionError> {
    let settled = after_input(stage.page, before, stage.settle_max).await;
    match &settled.failure {
        Some(failure) => Err(explain(stage, failure)),
        None => Ok(settled),
    }
}

fn inside(stage: Stage<'_>, point: Point) -> Result<Point, ActionError> {
    let viewport = stage.page.viewport();
    if point.x < f64::from(viewport.width) && point.y < f64::from(viewport.height) {
        return Ok(point);
    }
    Err(ActionError::new(
        ActionErrorKind::InvalidParameter,
        format!(
            "The point {},{} lies outside the viewport of {}x{} CSS px. Scroll, or use an index.",
            point.x, point.y, viewport.width, viewport.height
        ),
    ))
}

fn point_of(located: &Located) -> Result<Point, ActionError> {
    located.point().ok_or_else(|| {
        ActionError::new(
            ActionErrorKind::ElementNotVisible,
            "The element has no visible box. Scroll to it or pick another one.",
        )
    })
}

/// The element of an index, or why it cannot be used.
fn find(
    looked: Result<Located, super::super::error::Error>,
    index: u32,
) -> Result<Located, ActionError> {
    let located = looked.map_err(browser_failed)?;
    if located.ok {
        return Ok(located);
    }
    let total = located.total.unwrap_or(0);
    let (kind, message) = match located.reason.as_deref() {
        Some("stale") => (
            ActionErrorKind::StaleElement,
            format!(
                "The element {index} belongs to an older state of the page. Pick one of the \
                 candidates, or get the context again."
            ),
        ),
        Some("not_visible") => (
            ActionErrorKind::ElementNotVisible,
            format!("The element {index} is not visible. Pick one of the candidates."),
        ),
        Some("covered") => (
            ActionErrorKind::ElementCovered,
            format!(
                "The element {index} is covered by another one. Close what lies over it, or \
                 scroll, and try again."
            ),
        ),
        Some("not_editable") => (
            ActionErrorKind::ElementNotEditable,
            format!("The element {index} takes no text. Pick one of the candidates."),
        ),
        _ => (
            ActionErrorKind::ElementNotFound,
            format!(
                "There is no element {index}; the page has {total}. Get the context with \
                 elements=true and use one of its indices."
            ),
        ),
    };
    let context = json!({ "candidates": located.candidates, "cover": located.cover });
    Err(ActionError::new(kind, message).context(context))
}
