use proptest::prelude::*;

use super::*;

const DEMO: &str = "demo";

fn bus(replay_max: usize, queue_max: usize) -> Bus {
    let config = config::Events {
        replay_max,
        queue_max,
        ..config::Events::default()
    };
    Bus::new(config)
}

fn demo() -> RoomName {
    RoomName::parse(DEMO).unwrap()
}

fn since(seq: u64) -> Since {
    Since {
        seq: Some(seq),
        epoch: None,
    }
}

fn navigation(url: usize) -> EventBody {
    EventBody::PageNavigation {
        url: url.to_string(),
    }
}

fn line(number: usize) -> EventBody {
    EventBody::Console {
        level: "log".to_owned(),
        text: number.to_string(),
    }
}

fn publish(bus: &Bus, count: usize) {
    let room = bus.room(&demo()).unwrap();
    for number in 0..count {
        room.publish(navigation(number), Origin::default());
    }
}

fn number(next: &Next) -> u64 {
    match next {
        Next::Event(event) => event.seq(),
        Next::Lagged { missed, seq, .. } => 1_000 * missed + seq,
    }
}

async fn numbers(subscription: &mut Subscription, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        numbers.push(number(&subscription.next().await));
    }
    numbers
}

#[tokio::test]
async fn replay_then_live_without_gap_or_repeat() {
    let bus = bus(100, 100);
    publish(&bus, 5);
    let mut all = bus.subscribe(&demo(), &since(2), None).unwrap();
    publish(&bus, 2);
    assert_eq!(numbers(&mut all, 5).await, [3, 4, 5, 6, 7]);
    assert_eq!(bus.connections(&demo()), 1);
    drop(all);
    assert_eq!(bus.connections(&demo()), 0);
}

#[tokio::test]
async fn what_is_lost_is_said() {
    let bus = bus(3, 2);
    publish(&bus, 10);
    let mut late = bus.subscribe(&demo(), &since(4), None).unwrap();
    assert_eq!(numbers(&mut late, 4).await, [3_007, 8, 9, 10]);
    publish(&bus, 5);
    assert_eq!(numbers(&mut late, 3).await, [3_013, 14, 15]);
    let mut from_another_run = bus.subscribe(&demo(), &since(9_999), None).unwrap();
    assert_eq!(numbers(&mut from_another_run, 2).await, [12_012, 13]);
}

#[tokio::test]
async fn a_flood_takes_nothing_from_others() {
    let bus = bus(8, 4);
    let room = bus.room(&demo()).unwrap();
    let mut slow = bus.subscribe(&demo(), &Since::default(), None).unwrap();
    room.publish(navigation(0), Origin::default());
    for number in 0..10_000 {
        room.publish(line(number), Origin::default());
    }
    room.publish(navigation(1), Origin::default());
    let live = [1, 9_996_000 + 9_997, 9_998, 9_999, 10_000, 10_001, 10_002];
    assert_eq!(numbers(&mut slow, 7).await, live);
    let only = Some(std::collections::HashSet::from(["page_navigation"]));
    let mut calm = bus.subscribe(&demo(), &since(0), only).unwrap();
    assert_eq!(
        numbers(&mut calm, 2).await,
        [1, 10_002],
        "and no word of lines"
    );
    let mut all = bus.subscribe(&demo(), &since(0), None).unwrap();
    let replay = numbers(&mut all, 4).await;
    assert_eq!(replay, [1, 9_992_000 + 9_993, 9_994, 9_995]);
}

#[tokio::test]
async fn a_number_of_another_epoch_is_answered_with_all_there_is() {
    let (before, after) = (bus(9, 9), bus(9, 9));
    publish(&before, 3);
    publish(&after, 5);
    let old = before.subscribe(&demo(), &Since::default(), None).unwrap();
    let from = Since {
        seq: Some(3),
        epoch: Some(old.epoch().to_owned()),
    };
    let mut again = before.subscribe(&demo(), &from, None).unwrap();
    publish(&before, 1);
    assert_eq!(numbers(&mut again, 1).await, [4], "the epoch is the same");
    let mut restarted = after.subscribe(&demo(), &from, None).unwrap();
    let epoch = restarted.epoch().to_owned();
    let said = restarted.next().await;
    assert!(matches!(&said, Next::Lagged { epoch: Some(new), .. } if **new == *epoch));
    assert_eq!(numbers(&mut restarted, 5).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_room_that_is_forgotten_counts_anew_in_another_epoch() {
    let bus = bus(9, 9);
    publish(&bus, 3);
    let epoch = bus.room(&demo()).unwrap().epoch().to_owned();
    let mut listening = bus.subscribe(&demo(), &Since::default(), None).unwrap();
    bus.forget(&demo());
    publish(&bus, 1);
    assert_eq!(numbers(&mut listening, 1).await, [4], "somebody listens");
    let mut late = bus.subscribe(&demo(), &since(0), None).unwrap();
    assert_eq!(numbers(&mut late, 2).await, [3_003, 4]);
    drop((listening, late));
    bus.forget(&demo());
    let room = bus.room(&demo()).unwrap();
    assert_ne!(room.epoch(), epoch);
    room.publish(navigation(0), Origin::default());
    let from = Since {
        seq: Some(1),
        epoch: Some(epoch),
    };
    let mut back = bus.subscribe(&demo(), &from, None).unwrap();
    assert_eq!(numbers(&mut back, 2).await, [1_001, 1]);
}

#[test]
fn the_oldest_idle_room_makes_way() {
    let bus = bus(1, 1);
    let name = |number: usize| RoomName::parse(&format!("room-{number}")).unwrap();
    let busy = bus.room(&name(0)).unwrap();
    for number in 0..=ROOMS_MAX {
        bus.room(&name(number)).unwrap();
    }
    let rooms = lock(&bus.rooms);
    assert!(rooms.contains_key(&name(0)) && !rooms.contains_key(&name(1)));
    assert!(rooms.contains_key(&name(2)) && rooms.len() == ROOMS_MAX);
    drop(busy);
}

#[derive(Debug, Clone)]
enum Act {
    Navigate(usize),
    Print(usize),
    Read(usize),
}

proptest! {
    /// However it is flooded and read: what comes out is in order, and each number up to the last
    /// one is either heard or counted as missed, in the replay as well.
    #[test]
    fn each_event_is_heard_or_counted(acts in proptest::collection::vec(prop_oneof![
        (1_usize..20).prop_map(Act::Navigate),
        (1_usize..20).prop_map(Act::Print),
        (1_usize..20).prop_map(Act::Read),
    ], 0..30)) {
        let bus = bus(7, 5);
        let room = bus.room(&demo()).unwrap();
        let mut live = bus.subscribe(&demo(), &Since::default(), None).unwrap();
        let mut heard = Vec::new();
        for act in acts {
            let (count, body) = match act {
                Act::Navigate(count) => (count, navigation as fn(usize) -> EventBody),
                Act::Print(count) => (count, line as fn(usize) -> EventBody),
                Act::Read(count) => {
                    heard.extend(waiting(&mut live, count));
                    continue;
                }
            };
            for number in 0..count {
                room.publish(body(number), Origin::default());
            }
        }
        let published = lock(&room.state).next_seq - 1;
        heard.extend(waiting(&mut live, usize::MAX));
        let mut replay = bus.subscribe(&demo(), &since(0), None).unwrap();
        for heard in [heard, waiting(&mut replay, usize::MAX)] {
            let mut last = 0;
            let mut total = 0;
            for next in heard {
                let (seq, count) = match next {
                    Next::Event(event) => (event.seq(), 1),
                    Next::Lagged { missed, seq, .. } => (seq, missed),
                };
                prop_assert!(seq > last, "{} after {}", seq, last);
                (last, total) = (seq, total + count);
            }
            prop_assert_eq!(total, published);
        }
    }
}

/// What a subscriber hears without waiting.
fn waiting(subscription: &mut Subscription, count: usize) -> Vec<Next> {
    use futures::FutureExt;
    (0..count)
        .map_while(|_| subscription.next().now_or_never())
        .collect()
}

#[test]
fn what_happened_last_in_a_session_is_not_drowned_by_its_page() {
    let bus = bus(100, 10);
    let room = bus.room(&demo()).unwrap();
    let (ours, other) = (SessionId::new(), SessionId::new());
    let of = |session| Origin {
        session_id: Some(session),
        ..Origin::default()
    };
    room.publish(navigation(1), of(other));
    room.publish(navigation(2), of(ours));
    for number in 0..50 {
        room.publish(line(number), of(ours));
        let change_type = crate::model::event::DomChange::Text;
        room.publish(EventBody::DomChange { change_type }, of(ours));
    }
    room.publish(navigation(3), of(ours));
    let last = |most| -> Vec<&'static str> {
        let last = room.last_of(ours, most);
        last.iter().map(|event| event.type_name()).collect()
    };
    let expected = ["page_navigation", "console", "console", "page_navigation"];
    assert_eq!(last(8), expected);
    assert_eq!(last(1), ["page_navigation"]);
    assert_eq!(room.last_of(SessionId::new(), 8).len(), 0);
}
