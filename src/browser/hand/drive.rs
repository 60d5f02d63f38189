//! A person's own hand: each thing that they do is passed on as it comes, and waited for by nobody.

use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::input::{
    DispatchMouseEventParams, DispatchMouseEventType, ImeSetCompositionParams, InsertTextParams,
};
use chromiumoxide_cdp::cdp::browser_protocol::page::ReloadParams;
use chromiumoxide_cdp::cdp::js_protocol::runtime::EvaluateParams;

use tokio::time::timeout;

use super::super::error::Error;
use super::super::tabs::Tabs;
use super::{keys, offered, pointer};
use crate::model::Point;
use crate::model::command::MouseButton;
use crate::model::hand::{At, Deed};
use crate::model::outcome::HandledBy;

const OPERATION: &str = "do what a person does";
/// What is held with a key: Control.
const CONTROL: u8 = 2;
/// A page may take so long to copy.
const COPIED_WITHIN: Duration = Duration::from_millis(700);

/// Does it on the current tab; answers to what the page asks alone are waited for.
pub async fn drive(tabs: &Tabs, deed: &Deed) -> Result<(), Error> {
    match deed {
        Deed::Dialog {
            number,
            accept,
            text,
        } => return answer(tabs, *number, *accept, text.as_deref()).await,
        Deed::Choose { number, index } => return offered::choose(tabs, *number, *index).await,
        Deed::Pinch { at, scale } => {
            return tabs.current().pinch(Point::from(*at), *scale).await;
        }
        Deed::Move { .. } => tabs.current().offer_ahead().await,
        Deed::Down { .. } => {
            let page = tabs.current();
            tokio::join!(page.present_zoom(), page.offer());
        }
        Deed::Key { down: true, .. } => tabs.current().offer().await,
        _ => {}
    }
    pass_on(tabs, deed);
    Ok(())
}

/// Answers the dialog of this number, if it is open.
async fn answer(tabs: &Tabs, number: u64, accept: bool, text: Option<&str>) -> Result<(), Error> {
    let page = tabs.current();
    let opened = page.dialog();
    let Some(opened) = opened.filter(|it| it.is_open() && it.number == number) else {
        return Ok(());
    };
    let is_prompt = opened.info.dialog_type == "prompt";
    let text = text.filter(|_| is_prompt && accept);
    page.answer_dialog(&opened, accept, text, HandledBy::Person)
        .await
}

/// Copies what is selected, as its keys do; answers what the page has copied, if anything.
pub async fn copy(tabs: &Tabs) -> Option<String> {
    let page = tabs.current();
    let mut copied = page.clipboard().watch();
    let keys = [
        ("Control", true),
        ("c", true),
        ("c", false),
        ("Control", false),
    ];
    for (key, is_down) in keys {
        let modifiers = if key == "Control" && !is_down {
            0
        } else {
            CONTROL
        };
        let event = keys::single(key, modifiers, is_down, false);
        page.session().tell(OPERATION, &event);
    }
    let news = timeout(COPIED_WITHIN, copied.changed()).await;
    news.ok()?.ok()?;
    copied.borrow_and_update().clone()
}

/// Passes it on to the current tab, but for answers to what the page asks.
pub fn pass_on(tabs: &Tabs, deed: &Deed) {
    let page = tabs.current();
    let session = page.session();
    let zoom = page.zoom();
    let pointer = |mut event: DispatchMouseEventParams| {
        (event.x, event.y) = (event.x / zoom, event.y / zoom);
        session.tell(OPERATION, &event);
    };
    match deed {
        Deed::Move { at, buttons } => {
            let mut event = event(DispatchMouseEventType::MouseMoved, *at);
            event.buttons = Some(i64::from(*buttons));
            event.button = held(*buttons).map(pointer::name);
            pointer(event);
        }
        Deed::Down { at, button, count } => {
            let mut event = event(DispatchMouseEventType::MousePressed, *at);
            event.button = Some(pointer::name(*button));
            event.buttons = Some(button.bit().into());
            event.click_count = Some(i64::from(*count));
            pointer(event);
        }
        Deed::Up { at, button, count } => {
            let mut event = event(DispatchMouseEventType::MouseReleased, *at);
            (event.button, event.buttons) = (Some(pointer::name(*button)), Some(0));
            event.click_count = Some(i64::from(*count));
            pointer(event);
        }
        Deed::Wheel { at, dx, dy } => {
            let mut event = event(DispatchMouseEventType::MouseWheel, *at);
            (event.delta_x, event.delta_y) = (Some(*dx), Some(*dy));
            pointer(event);
        }
        Deed::Key {
            down,
            key,
            modifiers,
            repeat,
        } => session.tell(OPERATION, &keys::single(key, *modifiers, *down, *repeat)),
        Deed::Text { text } => session.tell(OPERATION, &InsertTextParams::new(text.clone())),
        Deed::Compose { text } => {
            // Places are counted as JavaScript counts: in units of UTF-16.
            let end = text.encode_utf16().count() as i64;
            session.tell(
                OPERATION,
                &ImeSetCompositionParams::new(text.clone(), end, end),
            );
        }
        Deed::Back => session.tell(OPERATION, &EvaluateParams::new("history.back()")),
        Deed::Forward => session.tell(OPERATION, &EvaluateParams::new("history.forward()")),
        Deed::Reload => session.tell(OPERATION, &ReloadParams::default()),
        Deed::Pinch { .. } | Deed::Dialog { .. } | Deed::Choose { .. } => {}
    }
}

fn event(kind: DispatchMouseEventType, at: At) -> DispatchMouseEventParams {
    let mut event = DispatchMouseEventParams::new(kind, at.x, at.y);
    event.modifiers = Some(i64::from(at.modifiers));
    event
}

/// The button that a move is told with, of those that are held.
fn held(buttons: u8) -> Option<MouseButton> {
    use MouseButton::{Left, Middle, Right};
    let is_held = |button: &MouseButton| buttons & button.bit() != 0;
    [Left, Right, Middle].into_iter().find(is_held)
}
