//! Virtual time: instants are made up from one start, nothing sleeps.

use proptest::prelude::*;

use super::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn move_to(x: f64, y: f64) -> Cue {
    Cue::MoveTo {
        at: Point::new(x, y),
    }
}

fn press(x: f64, y: f64, count: u8) -> Cue {
    Cue::Press {
        at: Point::new(x, y),
        count,
    }
}

#[test]
fn it_comes_in_beside_its_target_and_is_full_on_arrival() {
    let (start, mut cursor) = (Instant::now(), Cursor::new(Config::default()));
    assert_eq!(cursor.frame(start), None);
    assert_eq!(cursor.next_change(start), None);
    let arrival = cursor.cue(start, move_to(640.0, 360.0));
    assert!(arrival > start && arrival <= start + ms(120));
    assert_ne!(cursor.position(start), cursor.target());
    assert_eq!(cursor.target(), Some(Point::new(640.0, 360.0)));
    let first = cursor.frame(start).expect("seen at once");
    assert!(first.tip.distance(Point::new(640.0, 360.0)) < 50.0);
    assert_eq!(first.opacity, 0.0);
    let last = cursor.frame(start + ms(120)).expect("seen");
    assert_eq!((last.tip, last.opacity), (Point::new(640.0, 360.0), 1.0));
}

#[test]
fn it_rests_then_fades_then_is_gone() {
    let (start, mut cursor) = (Instant::now(), Cursor::new(Config::default()));
    let arrival = cursor.cue(start, move_to(10.0, 10.0));
    let (leaves, gone) = (arrival + ms(2750), arrival + ms(3000));
    for (at, opacity, next) in [
        (start, Some(0.0), Some(start)),
        (start + ms(130), Some(1.0), Some(leaves)),
        (leaves - ms(1), Some(1.0), Some(leaves)),
        (leaves + ms(125), Some(0.5), Some(leaves + ms(125))),
        (gone, None, None),
        (gone + ms(60_000), None, None),
    ] {
        let frame = cursor.frame(at).map(|overlay| overlay.opacity);
        assert_eq!(frame, opacity, "{:?}", at - start);
        assert_eq!(cursor.next_change(at), next, "{:?}", at - start);
    }
    assert_eq!(cursor.position(gone), Some(Point::new(10.0, 10.0)));
}

#[test]
fn a_cue_calls_a_fading_cursor_back_without_a_jump() {
    let (start, mut cursor) = (Instant::now(), Cursor::new(Config::default()));
    cursor.cue(start, move_to(10.0, 10.0));
    cursor.cue(start + ms(500), Cue::Hide);
    let half = start + ms(625);
    let before = cursor.frame(half).expect("fading");
    cursor.cue(half, move_to(300.0, 10.0));
    let after = cursor.frame(half).expect("back");
    assert_eq!((before.opacity, before.tip), (after.opacity, after.tip));
    assert_eq!(cursor.frame(half + ms(120)).map(|o| o.opacity), Some(1.0));
}

#[test]
fn hiding_takes_the_fade_and_no_longer() {
    let (start, mut cursor) = (Instant::now(), Cursor::new(Config::default()));
    cursor.cue(start, Cue::Hide);
    assert_eq!(cursor.frame(start), None);
    cursor.cue(start, move_to(10.0, 10.0));
    for again in [200, 300, 400] {
        cursor.cue(start + ms(again), Cue::Hide);
    }
    assert!(cursor.frame(start + ms(449)).is_some());
    assert_eq!(cursor.frame(start + ms(450)), None);
}

#[test]
fn clicks_ripple_from_the_arrival_on() {
    let (start, mut cursor) = (Instant::now(), Cursor::new(Config::default()));
    let arrival = cursor.cue(start, press(50.0, 60.0, 2));
    let seen = |at: Instant| -> Vec<f32> {
        let overlay = cursor.frame(at).expect("seen");
        overlay.ripples.iter().flatten().map(|r| r.phase).collect()
    };
    assert_eq!(seen(arrival - ms(1)).len(), 0);
    assert_eq!(seen(arrival), [0.0]);
    assert_eq!(seen(arrival + ms(225)).len(), 2);
    assert_eq!(seen(arrival + ms(500)).len(), 1);
    assert_eq!(seen(arrival + ms(560)).len(), 0);
    let pushed = cursor.frame(arrival + ms(110)).expect("seen").press;
    assert!(pushed > 0.95, "{pushed}");
    assert_eq!(cursor.frame(arrival + ms(600)).map(|o| o.press), Some(0.0));
}

#[test]
fn many_clicks_keep_the_latest_ripples() {
    let (start, mut cursor) = (Instant::now(), Cursor::new(Config::default()));
    for click in 0..20_u8 {
        let at = start + ms(10) * u32::from(click);
        cursor.cue(at, press(f64::from(click), 0.0, 1));
    }
    let overlay = cursor.frame(start + ms(450)).expect("seen");
    let mut xs: Vec<_> = overlay.ripples.iter().flatten().map(|r| r.at.x).collect();
    xs.sort_by(f64::total_cmp);
    assert_eq!(xs, [16.0, 17.0, 18.0, 19.0]);
}

#[test]
fn a_mark_goes_on_while_its_cues_come() {
    let (start, mut cursor) = (Instant::now(), Cursor::new(Config::default()));
    let at = Point::new(100.0, 100.0);
    for key in 0..10 {
        cursor.cue(start + ms(key * 300), Cue::Typing { at });
    }
    let last = start + ms(2700);
    let mark = |at: Instant| cursor.frame(at).expect("seen").mark;
    let shown = mark(last).expect("marked");
    assert_eq!((shown.kind, shown.opacity), (MarkKind::Typing, 1.0));
    assert_eq!(mark(last + ms(900)), None);
    assert_eq!(cursor.next_change(last + ms(899)), Some(last + ms(899)));
    let direction = Direction::Down;
    cursor.cue(last, Cue::Scrolling { at, direction });
    let kind = cursor.frame(last).expect("seen").mark.map(|m| m.kind);
    assert_eq!(kind, Some(MarkKind::Scrolling(direction)));
}

#[test]
fn disabled_it_is_known_but_not_seen() {
    let start = Instant::now();
    let config = Config {
        enabled: false,
        ..Config::default()
    };
    let mut cursor = Cursor::new(config);
    assert_eq!(cursor.cue(start, press(5.0, 6.0, 1)), start);
    assert_eq!(cursor.frame(start + ms(10)), None);
    assert_eq!(cursor.next_change(start), None);
    assert_eq!(cursor.position(start), Some(Point::new(5.0, 6.0)));
}

#[test]
fn a_point_that_is_no_number_does_nothing() {
    let (start, mut cursor) = (Instant::now(), Cursor::new(Config::default()));
    assert_eq!(cursor.cue(start, move_to(f64::NAN, 0.0)), start);
    assert_eq!(cursor.position(start), None);
}

fn any_cue() -> impl Strategy<Value = Cue> {
    let point = (-100.0..4000.0, -100.0..4000.0).prop_map(|(x, y)| Point::new(x, y));
    let direction = prop_oneof![Just(Direction::Up), Just(Direction::Right)];
    prop_oneof![
        point.clone().prop_map(|at| Cue::MoveTo { at }),
        (point.clone(), any::<u8>()).prop_map(|(at, count)| Cue::Press { at, count }),
        point.clone().prop_map(|at| Cue::Typing { at }),
        (point, direction).prop_map(|(at, direction)| Cue::Scrolling { at, direction }),
        Just(Cue::Hide),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever it is told: it arrives within the lead, its values stay in range, a redraw is
    /// asked for whenever two instants differ, and in the end it is gone.
    #[test]
    fn any_cues_keep_the_promises(
        lead in 0_u64..500,
        idle in 0_u64..4000,
        cues in prop::collection::vec((0_u64..700, any_cue()), 1..12),
    ) {
        let config = Config { lead: ms(lead), idle: ms(idle), ..Config::default() };
        let (mut now, mut cursor) = (Instant::now(), Cursor::new(config));
        for (pause, cue) in cues {
            let until = now + ms(pause);
            while now < until {
                let (next, then) = (cursor.next_change(now), now + ms(16));
                if next.is_none_or(|next| next > then) {
                    prop_assert_eq!(cursor.frame(now), cursor.frame(then));
                }
                now = then;
                if let Some(overlay) = cursor.frame(now) {
                    prop_assert!((0.0..=1.0).contains(&overlay.opacity));
                    prop_assert!((0.0..=1.0).contains(&overlay.press));
                }
            }
            let arrival = cursor.cue(now, cue);
            prop_assert!(now <= arrival && arrival <= now + ms(lead));
            if let Some(at) = cue.at() {
                prop_assert_eq!(cursor.position(arrival), Some(at));
            }
        }
        let end = now + ms(lead + idle + 2000);
        prop_assert_eq!(cursor.frame(end), None);
        prop_assert_eq!(cursor.next_change(end), None);
    }
}

#[test]
fn it_looks_as_the_page_asks_from_its_arrival_on() {
    let (start, mut cursor) = (Instant::now(), Cursor::new(Config::default()));
    let shape = |cursor: &Cursor, at| cursor.frame(at).map(|overlay| overlay.look.shape);
    let arrival = cursor.cue(start, move_to(640.0, 360.0));
    cursor.wear(arrival, Worn::Hand);
    assert_eq!(shape(&cursor, start), Some(Shape::Arrow));
    assert_eq!(shape(&cursor, arrival), Some(Shape::Hand));
    // At rest, when it learns of another.
    let (rest, later) = (start + ms(500), start + ms(600));
    cursor.wear(later, Worn::Beam);
    assert_eq!(cursor.next_change(rest), Some(later));
    assert_eq!(shape(&cursor, rest), Some(Shape::Hand));
    assert_eq!(shape(&cursor, later), Some(Shape::Beam));
    assert!(cursor.next_change(later).is_some_and(|next| next > later));
    cursor.wear(later + ms(1), Worn::Usual);
    assert_eq!(shape(&cursor, later + ms(1)), Some(Shape::Arrow));
}

#[test]
fn a_shape_that_was_chosen_is_kept() {
    let config = Config {
        shape: Shape::Dot,
        ..Config::default()
    };
    let (start, mut cursor) = (Instant::now(), Cursor::new(config));
    cursor.cue(start, move_to(10.0, 10.0));
    cursor.wear(start, Worn::Hand);
    let overlay = cursor.frame(start).expect("seen");
    assert_eq!(overlay.look.shape, Shape::Dot);
}
