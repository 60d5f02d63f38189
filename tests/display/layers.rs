//! Surfaces over surfaces, drawn by a client that says exactly what it draws.

use ghostcast::media::screen::Rect;
use ghostcast::model::Size;

use crate::hostile::{SIZE, Scene};
use crate::wire::{painted, word};
use crate::{copy, difference, pixel};

const BLUE: [u8; 4] = [255, 0, 0, 255];

#[tokio::test]
async fn a_popup_stays_inside_its_window_and_leaves_nothing() {
    let mut scene = Scene::new().await;
    let before = copy(&scene.window);
    let (wire, bound) = (&mut scene.wire, scene.bound);
    // It hangs below the lower edge and slides up.
    let positioner = wire.id();
    wire.send(bound.shell, 1, &[positioner]);
    wire.send(positioner, 1, &[20, 10]);
    wire.send(positioner, 2, &[50, 40, 1, 1]);
    // From the anchor's lower right, to the lower right.
    wire.send(positioner, 3, &[8]);
    wire.send(positioner, 4, &[8]);
    // It may slide both ways.
    wire.send(positioner, 5, &[3]);
    let surface = wire.surface(bound);
    let shell = wire.id();
    wire.send(bound.shell, 2, &[shell, surface]);
    let popup = wire.id();
    wire.send(shell, 2, &[popup, scene.toplevel.shell, positioner]);
    wire.send(surface, 6, &[]);
    let mut place = [0; 4];
    for event in wire.roundtrip() {
        if (event.object, event.opcode) == (popup, 0) {
            place = [0, 1, 2, 3].map(|at| word(&event.body, at));
        }
        if (event.object, event.opcode) == (shell, 0) {
            wire.send(shell, 4, &[word(&event.body, 0)]);
        }
    }
    assert_eq!(place, [44, 38, 20, 10]);
    let buffer = wire.buffer(bound, &painted(20 * 10, BLUE), 20, 10);
    wire.show(surface, buffer);
    wire.roundtrip();
    let whole = Rect {
        x: 44,
        y: 38,
        width: 20,
        height: 10,
    };
    assert_eq!(difference(&before, &copy(&scene.window), SIZE), whole);
    assert_eq!(pixel(&scene.window, 50, 40), [0, 0, 255]);
    // What changes below it stays below.
    scene.assert_alive(77);
    assert_eq!(pixel(&scene.window, 50, 40), [0, 0, 255]);
    assert_eq!(pixel(&scene.window, 43, 40), [0, 0, 77]);
    for object in [popup, shell, surface] {
        scene.wire.send(object, 0, &[]);
    }
    scene.wire.roundtrip();
    assert_eq!(
        copy(&scene.window),
        [0, 0, 77].repeat(SIZE.width as usize * SIZE.height as usize)
    );
}

#[tokio::test]
async fn a_part_is_stretched_laid_over_and_cut_off() {
    let mut scene = Scene::new().await;
    let before = copy(&scene.window);
    let viewporter = scene.wire.bind("wp_viewporter", 1);
    let (wire, bound) = (&mut scene.wire, scene.bound);
    let surface = wire.surface(bound);
    let part = wire.id();
    wire.send(
        bound.subcompositor,
        1,
        &[part, surface, scene.toplevel.surface],
    );
    wire.send(part, 1, &[60, (-2_i32) as u32]);
    // Synchronous ones show with their parent; this one by itself.
    wire.send(part, 5, &[]);
    let viewport = wire.id();
    wire.send(viewporter, 1, &[viewport, surface]);
    wire.send(viewport, 2, &[10, 10]);
    // Half of white, multiplied by its alpha, on (204, 51, 51).
    let buffer = {
        let pool = wire.id();
        wire.send_file(bound.shm, 0, &[pool, 16], &painted(4, [128, 128, 128, 128]));
        let buffer = wire.id();
        wire.send(pool, 0, &[buffer, 0, 2, 2, 8, 0]);
        buffer
    };
    wire.show(surface, buffer);
    wire.send(scene.toplevel.surface, 6, &[]);
    wire.roundtrip();
    let changed = Rect {
        x: 60,
        y: 0,
        width: 4,
        height: 8,
    };
    assert_eq!(difference(&before, &copy(&scene.window), SIZE), changed);
    assert_eq!(pixel(&scene.window, 61, 3), [230, 153, 153]);
    // It is taken away.
    wire_unmap(&mut scene, surface);
    assert_eq!(copy(&scene.window), before);
}

#[tokio::test]
async fn only_what_is_damaged_is_read() {
    let mut scene = Scene::new().await;
    let file = painted(SIZE.width * SIZE.height, BLUE);
    let buffer = scene
        .wire
        .buffer(scene.bound, &file, SIZE.width, SIZE.height);
    let surface = scene.toplevel.surface;
    crate::look(&scene.window);
    scene.wire.send(surface, 1, &[buffer, 0, 0]);
    scene.wire.send(surface, 9, &[10, 20, 5, 3]);
    scene.wire.send(surface, 6, &[]);
    scene.wire.roundtrip();
    let (size, damage) = crate::look(&scene.window);
    let part = Rect {
        x: 10,
        y: 20,
        width: 5,
        height: 3,
    };
    assert_eq!((size, damage.rects()), (Size::new(64, 48), &[part][..]));
    assert_eq!(pixel(&scene.window, 14, 22), [0, 0, 255]);
    assert_eq!(pixel(&scene.window, 15, 22), [0xcc, 0x33, 0x33]);
}

fn wire_unmap(scene: &mut Scene, surface: u32) {
    scene.wire.send(surface, 1, &[0, 0, 0]);
    scene.wire.send(surface, 6, &[]);
    scene.wire.send(scene.toplevel.surface, 6, &[]);
    scene.wire.roundtrip();
}
