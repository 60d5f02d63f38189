//! The indexed elements of a page, and finding one again.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::Error;
use super::page::Page;
use crate::model::Point;

/// Elements listed at most where the caller names no limit.
pub const ELEMENTS_LIMIT_DEFAULT: u32 = 500;

/// The interactive elements of a page and its same-origin frames, in document order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ElementList {
    /// Counts the lists made for this document.
    pub version: u64,
    /// One object an element: `index`, `role`, `name`, `tag`, `box` (CSS px), `in_viewport` …
    #[schema(value_type = Vec<Object>)]
    pub elements: Vec<Value>,
    /// How many there are, listed or not.
    pub total: u64,
    /// Whether the list was cut.
    pub truncated: bool,
}

/// A box, CSS px of the viewport.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Box {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Box {
    /// Its middle.
    pub const fn centre(self) -> Point {
        Point::new(self.x + self.width / 2.0, self.y + self.height / 2.0)
    }
}

/// What came of looking for an element.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Located {
    pub(super) ok: bool,
    x: Option<f64>,
    y: Option<f64>,
    pub(super) reason: Option<String>,
    pub(super) cover: Option<Value>,
    pub(super) candidates: Option<Value>,
    pub(super) total: Option<u64>,
    pub(super) role: Option<String>,
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) is_password: bool,
    /// `scrollTarget` only: whether anything moved, and the offsets.
    pub(super) moved: Option<bool>,
    pub(super) max_x: Option<f64>,
    pub(super) max_y: Option<f64>,
}

impl Located {
    /// The point that hits the element.
    pub(super) fn point(&self) -> Option<Point> {
        Some(Point::new(self.x?, self.y?))
    }
}

/// Lists the page's elements; later indices refer to this list.
pub async fn list(page: &Page, limit: u32) -> Result<ElementList, Error> {
    let elements = page
        .evaluate(&format!("__ghostcast.elements({{limit: {limit}}})"))
        .await?;
    page.note_listed();
    Ok(elements)
}

/// Whether the page asks for a password anywhere.
pub async fn asks_for_password(page: &Page) -> Result<bool, Error> {
    page.evaluate("__ghostcast.hasPassword()").await
}

/// Finds an element and brings it into view.
pub(super) async fn locate(page: &Page, index: u32) -> Result<Located, Error> {
    let build = page.may_build_list();
    look(
        page,
        format!("__ghostcast.locate({index}, {{build: {build}}})"),
    )
    .await
}

/// Finds a field, focuses it, and selects its content when it shall be cleared.
pub(super) async fn prepare_typing(page: &Page, index: u32, clear: bool) -> Result<Located, Error> {
    let build = page.may_build_list();
    look(
        page,
        format!("__ghostcast.prepareTyping({index}, {clear}, {{build: {build}}})"),
    )
    .await
}

/// Scrolls what there is to scroll.
pub(super) async fn scroll(page: &Page, index: Option<u32>, by: Point) -> Result<Located, Error> {
    let build = page.may_build_list();
    let index = index.map_or_else(|| "null".to_owned(), |index| index.to_string());
    let (dx, dy) = (by.x, by.y);
    look(
        page,
        format!("__ghostcast.scrollTarget({index}, {dx}, {dy}, {{build: {build}}})"),
    )
    .await
}

async fn look(page: &Page, expression: String) -> Result<Located, Error> {
    let located: Located = page.evaluate(&expression).await?;
    if !located.ok {
        // A refusal carries candidates of the present document, whose indices count from now on.
        page.note_listed();
    }
    Ok(located)
}
