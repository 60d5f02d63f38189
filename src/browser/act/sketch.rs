//! What a browser shows in a window of its own while an action acts: the list of a select element, a
//! file chooser. Only for whoever watches: the page is asked by whoever draws, so that an action neither
//! waits for it nor fails with it.

use futures::FutureExt;
use serde::Deserialize;
use serde_json::json;

use super::super::sight;
use super::super::target::{Frame, Page};
use super::Stage;
use super::reach::Reached;
use crate::model::Sketch;
use crate::model::command::UploadFile;
use crate::model::sketch::Options;

/// What `openList` answers.
#[derive(Debug, Deserialize)]
struct Open {
    area: sight::Area,
    list: Options,
}

/// Shows the list of a select element as it would be open, if it is one.
pub(super) fn choice(stage: Stage<'_>, frame: &Frame, node: u64) {
    if !stage.cues.is_watched() {
        return;
    }
    let (page, frame) = (stage.page.clone(), frame.clone());
    let sketch = async move {
        let open = frame.call::<Option<Open>>("openList", json!([node])).await;
        let Open { area, list } = open.ok()??;
        let area = in_page(&page, &frame, area).await?;
        Some(Sketch::Choice { area, list })
    };
    stage.cues.sketch(sketch.boxed());
}

/// Shows a file chooser with the files that are chosen.
pub(super) fn files(stage: Stage<'_>, reached: &Reached, given: &[UploadFile]) {
    if !stage.cues.is_watched() {
        return;
    }
    let (page, frame) = (stage.page.clone(), reached.known.frame.clone());
    let node = reached.known.node;
    let names = given.iter().map(|file| file.name.clone()).collect();
    let sketch = async move {
        let area = frame.call::<Option<sight::Area>>("placeOf", json!([node]));
        let area = in_page(&page, &frame, area.await.ok()??).await?;
        Some(Sketch::Files { area, names })
    };
    stage.cues.sketch(sketch.boxed());
}

async fn in_page(page: &Page, frame: &Frame, area: sight::Area) -> Option<[f64; 4]> {
    let place = sight::placement(page, frame).await.ok()?;
    let area = place.area_to_page(area);
    Some([area.x, area.y, area.width, area.height])
}
