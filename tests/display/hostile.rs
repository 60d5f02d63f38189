//! Clients that mean harm: they are sent away, and nobody else notices.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ghostcast::display::{Claim, Display, Window};
use ghostcast::model::Size;
use std::sync::Arc;

use crate::chromium::private_dir;
use crate::pixel;
use crate::wire::{Bound, DISPLAY, Toplevel, Wire, painted};

pub(crate) const SIZE: Size = Size::new(64, 48);
const PIXELS: u32 = SIZE.width * SIZE.height;
const RED: [u8; 4] = [0x33, 0x33, 0xcc, 0xff];

/// A display with a client that behaves, and its window.
pub(crate) struct Scene {
    dir: PathBuf,
    _display: Display,
    pub(crate) wire: Wire,
    pub(crate) bound: Bound,
    pub(crate) toplevel: Toplevel,
    pub(crate) window: Arc<Window>,
    file: File,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let dir = private_dir();
        let display = Display::open(&dir).unwrap();
        let mut wire = Wire::connect(&dir);
        let bound = wire.bind_all();
        let claim = display.claim("token", SIZE, 1.0);
        let (toplevel, width, height) = wire.toplevel(bound, "a token of mine");
        assert_eq!((width, height), (SIZE.width, SIZE.height));
        let file = painted(PIXELS, RED);
        let buffer = wire.buffer(bound, &file, SIZE.width, SIZE.height);
        wire.show(toplevel.surface, buffer);
        let window = within(claim).await;
        Self {
            dir,
            _display: display,
            wire,
            bound,
            toplevel,
            window,
            file,
        }
    }

    /// The client that behaves still can draw.
    pub(crate) fn assert_alive(&mut self, colour: u8) {
        let file = painted(PIXELS, [colour, 0, 0, 255]);
        let buffer = self.wire.buffer(self.bound, &file, SIZE.width, SIZE.height);
        self.wire.show(self.toplevel.surface, buffer);
        assert!(!self.wire.is_sent_away());
        assert!(!self.window.is_lost());
        assert_eq!(pixel(&self.window, 5, 5), [0, 0, colour]);
    }

    fn stranger(&self) -> (Wire, Bound) {
        let mut wire = Wire::connect(&self.dir);
        let bound = wire.bind_all();
        (wire, bound)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

async fn within(claim: Claim) -> Arc<Window> {
    let window = tokio::time::timeout(Duration::from_secs(5), claim.window());
    window.await.expect("in time").unwrap()
}

#[tokio::test]
async fn a_client_that_behaves_is_shown() {
    let mut scene = Scene::new().await;
    assert_eq!(pixel(&scene.window, 63, 47), [0xcc, 0x33, 0x33]);
    scene.assert_alive(7);
    assert!(scene.file.metadata().unwrap().len() > 0);
}

#[tokio::test]
async fn garbage_is_sent_away() {
    let mut scene = Scene::new().await;
    let mut noise = 88_172_645_463_325_252_u64;
    for round in 0..40 {
        let mut wire = Wire::connect(&scene.dir);
        let bytes: Vec<u8> = (0..4096)
            .map(|_| {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                noise as u8
            })
            .collect();
        // Some of it looks like a message to an object that is there.
        if round % 2 == 0 {
            wire.send_bytes(DISPLAY, (round % 7) as u16, &bytes[..(round * 4) as usize]);
        }
        wire.raw(&bytes);
    }
    scene.assert_alive(9);
}

#[tokio::test]
async fn ten_thousand_surfaces_are_too_many() {
    let mut scene = Scene::new().await;
    let (mut wire, bound) = scene.stranger();
    for _ in 0..10_000 {
        wire.surface(bound);
    }
    assert!(wire.is_sent_away());
    scene.assert_alive(11);
}

#[tokio::test]
async fn pools_without_end_are_too_many() {
    let mut scene = Scene::new().await;
    let (mut wire, bound) = scene.stranger();
    let file = painted(1, RED);
    for _ in 0..2_000 {
        let pool = wire.id();
        wire.send_file(bound.shm, 0, &[pool, 4], &file);
    }
    assert!(wire.is_sent_away());
    scene.assert_alive(13);
}

#[tokio::test]
async fn a_pool_that_lies_about_its_size_kills_nobody() {
    let mut scene = Scene::new().await;
    // It never had the bytes.
    let (mut wire, bound) = scene.stranger();
    let (toplevel, width, height) = wire.toplevel(bound, "liar");
    let buffer = wire.buffer(bound, &painted(1, RED), width, height);
    wire.show(toplevel.surface, buffer);
    assert!(wire.is_sent_away());
    scene.assert_alive(15);
    // It had them once.
    let (mut wire, bound) = scene.stranger();
    let (toplevel, width, height) = wire.toplevel(bound, "liar");
    let file = painted(width * height, RED);
    let buffer = wire.buffer(bound, &file, width, height);
    wire.show(toplevel.surface, buffer);
    assert!(!wire.is_sent_away());
    file.set_len(0).unwrap();
    wire.show(toplevel.surface, buffer);
    assert!(wire.is_sent_away());
    scene.assert_alive(17);
}

#[tokio::test]
async fn sizes_that_cannot_be_are_sent_away() {
    let mut scene = Scene::new().await;
    let bad: [fn(&mut Wire, Bound, u32); 6] = [
        // Pools: none, negative, resized to none, more than there may be.
        |wire, bound, pool| wire.send_file(bound.shm, 0, &[pool, 0], &painted(1, RED)),
        |wire, bound, pool| wire.send_file(bound.shm, 0, &[pool, u32::MAX], &painted(1, RED)),
        |wire, bound, pool| {
            wire.send_file(bound.shm, 0, &[pool, 4], &painted(1, RED));
            wire.send(pool, 2, &[0]);
        },
        |wire, bound, pool| {
            wire.send_file(bound.shm, 0, &[pool, 4], &painted(1, RED));
            wire.send(pool, 2, &[i32::MAX as u32]);
        },
        // A buffer beyond its pool.
        |wire, bound, pool| {
            wire.send_file(bound.shm, 0, &[pool, 4], &painted(1, RED));
            let buffer = wire.id();
            wire.send(pool, 0, &[buffer, 0, 9000, 9000, 36_000, 1]);
        },
        // A surface beyond what is kept.
        |wire, bound, _| {
            let (toplevel, ..) = wire.toplevel(bound, "large");
            let buffer = wire.buffer(bound, &painted(5000 * 8, RED), 5000, 8);
            wire.show(toplevel.surface, buffer);
        },
    ];
    for (number, bad) in bad.into_iter().enumerate() {
        let (mut wire, bound) = scene.stranger();
        let pool = wire.id();
        bad(&mut wire, bound, pool);
        assert!(wire.is_sent_away(), "{number}");
        scene.assert_alive(20 + number as u8);
    }
}

#[tokio::test]
async fn rectangles_that_cannot_be_harm_nobody() {
    let mut scene = Scene::new().await;
    let (mut wire, bound) = scene.stranger();
    let (toplevel, width, height) = wire.toplevel(bound, "wild");
    let buffer = wire.buffer(bound, &painted(width * height, RED), width, height);
    let least = i32::MIN as u32;
    let most = i32::MAX as u32;
    for wild in [
        [least, least, most, most],
        [most, most, most, most],
        [0, 0, least, least],
        [5, 5, least, most],
    ] {
        wire.send(toplevel.surface, 1, &[buffer, 0, 0]);
        wire.send(toplevel.surface, 2, &wild);
        wire.send(toplevel.surface, 9, &wild);
        wire.send(toplevel.shell, 3, &wild);
        wire.send(toplevel.surface, 6, &[]);
        wire.roundtrip();
    }
    scene.assert_alive(31);
}

#[tokio::test]
async fn one_that_never_reads_holds_up_nobody() {
    let mut scene = Scene::new().await;
    let (mut wire, _) = scene.stranger();
    let mut asked = Vec::new();
    for _ in 0..50_000 {
        let callback = wire.id();
        asked.extend(DISPLAY.to_ne_bytes());
        asked.extend((12_u32 << 16).to_ne_bytes());
        asked.extend(callback.to_ne_bytes());
    }
    let mut writer = wire;
    let sender = std::thread::spawn(move || {
        writer.raw(&asked);
        writer
    });
    scene.assert_alive(33);
    scene.assert_alive(34);
    let _ = sender.join();
}

#[tokio::test]
async fn a_claim_ends_with_its_client() {
    let dir = private_dir();
    let display = Display::open(&dir).unwrap();
    let mut wire = Wire::connect(&dir);
    let claim = display.claim("never", SIZE, 1.0);
    wire.roundtrip();
    drop(wire);
    let ended = tokio::time::timeout(Duration::from_secs(1), claim.window()).await;
    assert!(ended.expect("in time").is_err());
    let late = display.claim("late", SIZE, 1.0);
    let ended = tokio::time::timeout(Duration::from_secs(1), late.window()).await;
    assert!(ended.expect("in time").is_err());
    remove(&dir);
}

#[tokio::test]
async fn a_display_that_is_dropped_takes_its_socket_and_its_thread() {
    let dir = private_dir();
    let display = Display::open(&dir).unwrap();
    let claim = display.claim("never", SIZE, 1.0);
    let mut wire = Wire::connect(&dir);
    drop(display);
    assert!(!dir.join("wayland-0").exists());
    assert!(claim.window().await.is_err());
    assert!(wire.is_sent_away());
    remove(&dir);
}

fn remove(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
}
