//! The display, judged by what a real headful Chromium draws on it.

mod chromium;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chromium::Chromium;
use ghostcast::display::{Bell, Window};
use ghostcast::media::screen::{Damage, Screen};
use ghostcast::model::Size;

#[derive(Debug, Default)]
struct Rung {
    times: Mutex<Vec<Instant>>,
    gone: AtomicBool,
    count: AtomicUsize,
}

impl Bell for Rung {
    fn damaged(&self, at: Instant) {
        self.times.lock().unwrap().push(at);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    fn gone(&self) {
        self.gone.store(true, Ordering::Release);
    }
}

fn pixel(window: &Window, x: u32, y: u32) -> [u8; 3] {
    let mut found = [0; 3];
    window.look(&mut |pixels, _| {
        let at = y as usize * pixels.stride() + x as usize * 4;
        let bgra = &pixels.data()[at..at + 4];
        found = [bgra[2], bgra[1], bgra[0]];
    });
    found
}

fn looked(window: &Window) -> (Size, Damage) {
    let mut found = (Size::new(0, 0), Damage::default());
    window.look(&mut |pixels, damage| found = (pixels.size(), damage.clone()));
    found
}

const MOVING: &str = "<title>TOKEN</title><body style='margin:0;background:#3c3'><canvas id=c width=400 height=300></canvas><script>
let n=0; const g=c.getContext('2d'); function f(){n++; g.fillStyle=`rgb(${n%256},${n>>8},0)`; g.fillRect(0,0,400,300); requestAnimationFrame(f)} f()</script>";

#[tokio::test(flavor = "multi_thread")]
async fn trial() {
    tracing_subscriber::fmt().with_test_writer().init();
    let mut chromium = Chromium::start().await;
    for name in ["one", "two"] {
        let started = Instant::now();
        let claim = chromium.display.claim(name, Size::new(1280, 720), 1.0);
        let page = chromium.open(&MOVING.replace("TOKEN", name)).await;
        let window = tokio::time::timeout(Duration::from_secs(5), claim.window())
            .await
            .expect("in time")
            .unwrap();
        eprintln!(
            "window {name} after {:?}: {:?}",
            started.elapsed(),
            window.size()
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
        eprintln!("inner {}", chromium.eval(&page, "[innerWidth, innerHeight, devicePixelRatio, document.hasFocus(), document.visibilityState]").await);
        eprintln!(
            "{:?} {:?} {:?}",
            pixel(&window, 0, 0),
            pixel(&window, 1279, 719),
            pixel(&window, 640, 1)
        );
        for fps in [60, 30, 10] {
            let bell = Arc::new(Rung::default());
            window.watch(fps, bell.clone());
            let (mut n0, mut worst) = (0.0, 0.0f64);
            let until = Instant::now() + Duration::from_secs(2);
            n0 += chromium.eval(&page, "n").await.as_f64().unwrap();
            let before = bell.count.load(Ordering::Relaxed);
            while Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(50)).await;
                worst = worst.max(0.0);
            }
            let rung = bell.count.load(Ordering::Relaxed) - before;
            let n1 = chromium.eval(&page, "n").await.as_f64().unwrap();
            eprintln!(
                "fps {fps}: {rung} rings, page {} in 2 s; damage {:?}",
                n1 - n0,
                looked(&window)
            );
        }
        window.rest();
        let n0 = chromium.eval(&page, "n").await.as_f64().unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let n1 = chromium.eval(&page, "n").await.as_f64().unwrap();
        eprintln!("rest: page {} in 3 s", n1 - n0);
    }
}
