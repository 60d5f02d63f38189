use serde_json::{Value, json};

use super::*;
use crate::model::geometry::Point;

fn parse(action_type: &str, params: Value) -> Result<Command, ActionError> {
    let Value::Object(params) = params else {
        panic!("params is an object")
    };
    Command::parse(&ActionRequest::new(action_type, params))
}

fn check_error(action_type: &str, params: Value, kind: ActionErrorKind, word: &str) {
    let error = parse(action_type, params).expect_err("refused");
    assert_eq!(error.kind, kind, "{error}");
    assert!(error.message.contains(word), "{error} names {word}");
}

#[test]
fn a_mistyped_text_is_not_repeated() {
    let error = parse("type", json!({"index": 2, "text": 481_516})).expect_err("refused");
    assert!(error.message.contains("\"text\""), "{error}");
    assert!(!error.message.contains("481516"), "{error}");
}

#[test]
fn both_click_forms_and_their_aliases() {
    let by_index = parse("click", json!({"index": 5})).unwrap();
    assert!(matches!(
        by_index,
        Command::Click(Click {
            target: Target::Index(5),
            ..
        })
    ));
    for params in [
        json!({"x": 3, "y": 4.5}),
        json!({"coordinate_x": 3, "coordinate_y": 4.5}),
    ] {
        let Command::Click(click) = parse("click", params).unwrap() else {
            panic!("a click")
        };
        assert_eq!(click.target, Target::Point(Point::new(3.0, 4.5)));
    }
}

#[test]
fn tabs_are_opened_named_and_closed() {
    let empty = parse("new_tab", json!({})).unwrap();
    assert_eq!(empty, Command::NewTab(NewTab { url: None }));
    let switch = parse("switch_tab", json!({"tab": 2})).unwrap();
    assert_eq!(switch, Command::SwitchTab(SwitchTab { tab: 2 }));
    let close = parse("close_tab", json!({})).unwrap();
    assert_eq!(close, Command::CloseTab(CloseTab { tab: None }));
    use ActionErrorKind::{InvalidParameter, MissingParameter};
    check_error("new_tab", json!({"url": " "}), InvalidParameter, "\"url\"");
    check_error("switch_tab", json!({}), MissingParameter, "\"tab\"");
    check_error(
        "switch_tab",
        json!({"tab": "2"}),
        InvalidParameter,
        "\"tab\"",
    );
    check_error("close_tab", json!({"tab": -1}), InvalidParameter, "\"tab\"");
}

#[test]
fn each_mistake_is_named() {
    use ActionErrorKind::{InvalidParameter, MissingParameter, UnknownAction};
    check_error("bogus", json!({}), UnknownAction, "bogus");
    check_error("clik", json!({}), UnknownAction, "\"click\"");
    check_error("click", json!({}), MissingParameter, "index");
    check_error("click", json!({"x": 1}), MissingParameter, "\"y\"");
    check_error(
        "click",
        json!({"index": "five"}),
        InvalidParameter,
        "\"index\"",
    );
    check_error(
        "click",
        json!({"index": 1, "x": 1, "y": 1}),
        InvalidParameter,
        "index",
    );
    check_error(
        "click",
        json!({"index": 1, "count": 9}),
        InvalidParameter,
        "count",
    );
    check_error("navigate", json!({}), MissingParameter, "\"url\"");
    check_error("navigate", json!({"url": 7}), InvalidParameter, "\"url\"");
    check_error(
        "navigate",
        json!({"url": "x", "tmeout": 7}),
        InvalidParameter,
        "tmeout",
    );
    check_error(
        "type",
        json!({"text": "a", "index": -1}),
        InvalidParameter,
        "\"index\"",
    );
    check_error(
        "scroll",
        json!({"direction": "sideways"}),
        InvalidParameter,
        "\"direction\"",
    );
    check_error(
        "wait",
        json!({"seconds": -1}),
        InvalidParameter,
        "\"seconds\"",
    );
    check_error(
        "go_back",
        json!({"steps": 2}),
        InvalidParameter,
        "\"steps\"",
    );
}
