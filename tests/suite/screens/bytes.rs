//! What the screens send to the terminal: over SSH on a slow line every byte is waited for. Goals, at 80x24 in true
//! colour: a step of the cursor under 400 bytes, another screen under 4 kB, and nothing while nothing is new.

use std::sync::Arc;

use jiff::SignedDuration;
use wheelhouse::{
    app::{Msg, Painter},
    cluster::{Member, Observation, Proxy, Seen, Snapshot},
    cockpit::Terminal,
};

use super::{
    cockpit::Cockpit,
    database,
    places::{SCREENS, at},
};
use crate::database::{changed, proxy_rows};

const SIZE: (u16, u16) = (80, 24);

/// A cockpit with a terminal behind it.
struct Line {
    c: Cockpit,
    painter: Painter,
    terminal: Terminal<Vec<u8>>,
}

impl Line {
    fn of(c: Cockpit) -> Self {
        let terminal = Terminal::sized(Vec::new(), SIZE.0, SIZE.1);
        let mut line = Self { c, painter: Painter::default(), terminal };
        line.sent();
        line
    }

    /// Bytes since the last time.
    fn sent(&mut self) -> usize {
        self.painter.paint(&self.c.app, &mut self.terminal, self.c.now).expect("memory takes all");
        std::mem::take(self.terminal.out()).len()
    }

    /// The most bytes that one of these keys costs.
    fn keys(&mut self, keys: &str) -> usize {
        let bytes = keys.split_whitespace().map(|key| {
            self.c.keys(key);
            self.painter.paint(&self.c.app, &mut self.terminal, self.c.now).expect("memory takes all");
            std::mem::take(self.terminal.out()).len()
        });
        bytes.max().unwrap_or(0)
    }
}

#[test]
fn a_step_of_the_cursor_is_small() {
    let mut wrong = Vec::new();
    for (name, make) in SCREENS {
        let most = Line::of(make(SIZE)).keys("down down up down down up up");
        eprintln!("{name:<26} {most:>5} bytes a step");
        if most >= 400 {
            wrong.push(format!("{name}: {most} bytes"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn another_screen_is_less_than_4_kb() {
    let mut wrong = Vec::new();
    for from in ["1", "1 enter", "2", "3", "4", "5", "1 h", "W"] {
        let mut line = Line::of(at(SIZE, from));
        for to in [
            "1", "2", "3", "4", "5", "1", "enter", "4", "W", "5", "2", "enter", "1", "h", "m", "esc", "?",
            "esc",
        ] {
            let most = line.keys(to);
            if most >= 4_000 {
                wrong.push(format!("{from}: {to}: {most} bytes"));
            }
        }
    }
    for (name, make) in SCREENS {
        let mut line = Line::of(at(SIZE, "W"));
        line.c = make(SIZE);
        let whole = line.sent();
        eprintln!("{name:<26} {whole:>5} bytes from the ranking");
        if whole >= 4_000 {
            wrong.push(format!("{name}: {whole} bytes"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The same cluster read again: nothing but the time has changed.
fn read_again(seen: &mut Snapshot, at: jiff::Timestamp) {
    seen.at = at;
    let members: Vec<(_, Member)> = (1..=3)
        .zip(seen.galera.values().cloned().collect::<Vec<_>>())
        .map(|(n, m)| (m.name.clone(), m.answered(&changed("healthy", n, &[]), at)))
        .collect();
    seen.observe(Observation::Member(Seen::All(members, at)));
    let proxies: Vec<(_, Proxy)> =
        seen.proxies.values().map(|p| (p.name.clone(), p.answered(&proxy_rows("healthy"), at))).collect();
    seen.observe(Observation::Proxy(Seen::All(proxies, at)));
}

#[test]
fn what_shows_nothing_new_sends_nothing() {
    let mut wrong = Vec::new();
    for (name, make) in SCREENS {
        if name.contains("quorum") || name == "recovery" || name.contains("run") || name.contains("campaign")
        {
            continue;
        }
        let mut line = Line::of(make(SIZE));
        let mut seen = database::healthy();
        let (mut bytes, mut frames) = (0, 0);
        let mut changed = Vec::new();
        // What was said is gone, ages have passed the seconds, and the rates of the database are those of standing still.
        for second in 1..=190 + 30 {
            let before = line.c.text();
            line.c.now += SignedDuration::from_secs(1);
            read_again(&mut seen, line.c.now);
            line.c.send(Msg::Observed(Arc::new(seen.clone()).into()));
            let sent = line.sent();
            if second > 190 {
                let after = line.c.text();
                let both = before.lines().zip(after.lines()).filter(|(before, after)| before != after);
                changed.extend(both.map(|(before, after)| format!("{before}\n{after}")));
                bytes += sent;
                frames += usize::from(sent > 0);
            }
        }
        eprintln!("{name:<26} {bytes:>5} bytes in 30 s, {frames} frames");
        // A minute may pass meanwhile.
        if frames > 1 {
            let changed = changed.join("\n");
            wrong.push(format!("{name}: {bytes} bytes in 30 s, {frames} frames: {changed}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
