//! The loop: what is drawn when, and how much of it reaches the terminal. The clock is tokio's, and stands still.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use jiff::{SignedDuration, Timestamp};
use ratatui::{
    backend::{Backend, ClearType, TestBackend, WindowSize},
    buffer::Cell,
    layout::{Position, Size},
};
use tokio::{sync::mpsc, time::Instant};
use wheelhouse::{
    app::{App, Effect, Msg, Setup, run},
    cluster::{Freshness, Observation, Pod, Seen, Snapshot},
    run::Rehearsal,
};

use super::cockpit::{night, now};

const CALM: &str = "node worker-1 since=48h\nnode worker-2 since=48h\ntenant acme 2 on worker-1 worker-2\n";

/// What reached the terminal.
#[derive(Default)]
struct Sent {
    frames: AtomicUsize,
    cells: AtomicUsize,
}

/// A terminal that counts.
struct Counting {
    inner: TestBackend,
    sent: Arc<Sent>,
    /// Called while a frame is being sent.
    meanwhile: Box<dyn FnMut() + Send>,
}

fn sure<T>(result: Result<T, core::convert::Infallible>) -> io::Result<T> {
    result.map_err(|e| match e {})
}

impl Backend for Counting {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let cells: Vec<_> = content.collect();
        (self.meanwhile)();
        self.sent.frames.fetch_add(1, Relaxed);
        self.sent.cells.fetch_add(cells.len(), Relaxed);
        sure(self.inner.draw(cells.into_iter()))
    }
    fn hide_cursor(&mut self) -> io::Result<()> {
        sure(self.inner.hide_cursor())
    }
    fn show_cursor(&mut self) -> io::Result<()> {
        sure(self.inner.show_cursor())
    }
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Err(io::Error::other("a terminal that is asked may never answer: nothing may be asked"))
    }
    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        sure(self.inner.set_cursor_position(position))
    }
    fn clear(&mut self) -> io::Result<()> {
        sure(self.inner.clear())
    }
    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        sure(self.inner.clear_region(region))
    }
    fn size(&self) -> io::Result<Size> {
        sure(self.inner.size())
    }
    fn window_size(&mut self) -> io::Result<WindowSize> {
        sure(self.inner.window_size())
    }
    fn flush(&mut self) -> io::Result<()> {
        sure(self.inner.flush())
    }
}

/// Runs the loop while `play` sends it messages; returns what reached the terminal.
async fn watch<F>(seen: Snapshot, play: impl FnOnce(mpsc::Sender<Msg>, Arc<Sent>) -> F) -> Arc<Sent>
where
    F: Future<Output = ()>,
{
    let sent = Arc::new(Sent::default());
    let mut backend =
        Counting { inner: TestBackend::new(80, 24), sent: sent.clone(), meanwhile: Box::new(|| ()) };
    let app = App::new(Setup::default(), Arc::new(seen), (80, 24)).expect("a theme");
    let (tell, inbox) = mpsc::channel(1000);
    let begun = Instant::now();
    let clock =
        move || -> Timestamp { now() + SignedDuration::try_from(begun.elapsed()).expect("a short time") };
    let looping = run(app, &mut backend, inbox, clock, |_, _| Ok(()));
    let playing = async {
        play(tell.clone(), sent.clone()).await;
        tell.send(Msg::Leave).await.expect("the loop listens");
    };
    let (result, ()) = tokio::join!(looping, playing);
    result.expect("the loop ends well");
    sent
}

fn key(c: char) -> Msg {
    Msg::Input(Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)))
}

#[tokio::test(start_paused = true)]
async fn a_still_cluster_costs_nothing() {
    let sent = watch(night(CALM), |tell, sent| async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(sent.frames.load(Relaxed), 1, "the first frame");
        let seen = Arc::new(night(CALM));
        for _ in 0..100 {
            tell.send(Msg::Observed(seen.clone().into())).await.expect("the loop listens");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(sent.frames.load(Relaxed), 1, "a frame that is the same is not sent");
}

#[tokio::test(start_paused = true)]
async fn two_hundred_events_a_second_are_ten_frames_of_what_changed() {
    let sent = watch(night(CALM), |tell, _| async move {
        let mut seen = night(CALM);
        let (name, pod) =
            seen.pods.items.iter().next().map(|(k, p)| (k.clone(), Pod::clone(p))).expect("a pod");
        for i in 0..400 {
            let mut pod = pod.clone();
            pod.ready = i % 2 == 0;
            pod.containers[1].restarts = i;
            seen.observe(Observation::Pod(Seen::Put(name.clone(), pod)));
            tell.send(Msg::Observed(Arc::new(seen.clone()).into())).await.expect("the loop listens");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let (frames, cells) = (sent.frames.load(Relaxed), sent.cells.load(Relaxed));
    assert!((10..=22).contains(&frames), "{frames} frames in two seconds");
    assert!(cells < 24 * 80 + frames * 200, "{cells} cells in {frames} frames");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_drawn_at_once_and_a_burst_of_messages_once() {
    watch(night(CALM), |tell, sent| async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        tell.send(key('?')).await.expect("the loop listens");
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(sent.frames.load(Relaxed), 2, "the help is there a millisecond later");
        for i in 0..50 {
            tell.try_send(Msg::Input(Event::Resize(80, 24 - i % 2))).expect("room in the inbox");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(sent.frames.load(Relaxed), 3, "a storm of resizes is one frame");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn seconds_pass_only_where_seconds_are_shown() {
    let mut seen = night(CALM);
    seen.api.freshness = Freshness::Stale { since: now(), why: "gone".into() };
    let sent = watch(seen, |_, sent| async move {
        tokio::time::sleep(Duration::from_millis(10_500)).await;
        let frames = sent.frames.load(Relaxed);
        assert!((10..=12).contains(&frames), "{frames} frames in ten seconds");
        // From then on tens of seconds are told.
        tokio::time::sleep(Duration::from_secs(50)).await;
        assert_eq!(sent.frames.load(Relaxed), frames + 5);
        tokio::time::sleep(Duration::from_secs(239)).await;
    })
    .await;
    let frames = sent.frames.load(Relaxed);
    assert!(frames < 12 + 9 + 4, "{frames} frames in five minutes");
}

#[tokio::test]
async fn keys_that_came_together_stay_together_however_slow_the_line_is() {
    let sent = Arc::new(Sent::default());
    let clock = Arc::new(AtomicUsize::new(0));
    let (tell, inbox) = mpsc::channel(1000);
    let (line, slow) = (tell.clone(), clock.clone());
    // Each frame takes a second; the second y of a paste comes while the frame after the first is being sent.
    let pasted = Arc::new(AtomicUsize::new(0));
    let pasting = pasted.clone();
    let meanwhile = Box::new(move || {
        slow.fetch_add(1_000, Relaxed);
        if pasting.load(Relaxed) > 0 {
            match pasting.fetch_add(1, Relaxed) {
                1 => line.try_send(key('y')).expect("room in the inbox"),
                2 => {}
                _ => line.try_send(Msg::Leave).expect("room in the inbox"),
            }
        }
    });
    let mut backend = Counting { inner: TestBackend::new(80, 24), sent, meanwhile };
    let app = App::new(Setup::default(), Arc::new(night(CALM)), (80, 24)).expect("a theme");
    let read = clock.clone();
    let time = move || now() + SignedDuration::from_millis(read.load(Relaxed) as i64);
    let mut started = 0;
    let mut answer = Some(tell.clone());
    tell.send(key('+')).await.expect("the loop listens");
    let result = run(app, &mut backend, inbox, time, |effect, _| {
        match effect {
            Effect::Rehearse(plan) => {
                let tell = answer.take().expect("one rehearsal");
                let rehearsal = Rehearsal { plan: plan.id, ..Rehearsal::default() };
                tell.try_send(Msg::Rehearsed(rehearsal)).expect("room in the inbox");
                clock.fetch_add(1_000, Relaxed);
                let pasted = pasted.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    pasted.store(1, Relaxed);
                    tell.send(key('y')).await.expect("the loop listens");
                });
            }
            Effect::Start(..) => started += 1,
            _ => {}
        }
        Ok(())
    });
    let _ = tokio::time::timeout(Duration::from_secs(2), result).await;
    assert_eq!(started, 0, "two keys that came together are no yes");
}
