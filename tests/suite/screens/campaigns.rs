//! A campaign on the screen: from a yes to its end, and the same from another cockpit.

use std::sync::Arc;

use jiff::SignedDuration;
use wheelhouse::{
    app::{Effect, Msg},
    cluster::{Journal, Key, Lease, NodeName, Observation, Pod, Seen, Snapshot, Written},
    plan::{Change, Intent, Move, plan},
    run::{
        Entry, Event as RunEvent, Run,
        campaign::{self, Campaign, Event, Wish, record},
    },
    ui::Place,
};

use super::{
    cockpit::{Cockpit, night},
    moves::BACK,
    picture::{self, Film},
};

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

/// A campaign under way, played by hand: the cluster moves with it.
pub struct Played {
    pub c: Cockpit,
    pub seen: Snapshot,
    pub campaign: Campaign,
    run: Option<Run>,
}

impl Played {
    /// The cluster as it is after the review was said yes to.
    pub fn begun(size: (u16, u16), keys: &str) -> Self {
        let mut c = Cockpit::of(BACK, size);
        c.keys(keys);
        c.rehearse_all();
        c.keys("y");
        let approved = c.wait(300).into_iter().find_map(|effect| match effect {
            Effect::Campaign(approved, _) => Some(*approved),
            _ => None,
        });
        let approved = approved.expect("it is begun");
        let campaign = Campaign::new("20261121-031201-4f2a", "alice@bastion", approved);
        let mut played = Self { c, seen: night(BACK), campaign, run: None };
        played.tell();
        played.happen(Event::Taken);
        played
    }

    fn pass(&mut self, seconds: i64) {
        self.c.now += SignedDuration::from_secs(seconds);
        self.seen.at = self.c.now;
    }

    pub fn tell(&mut self) {
        self.campaign.under_way = self.run.iter().cloned().collect();
        let campaign = Box::new(self.campaign.clone());
        self.c.send(Msg::Campaign(campaign));
        self.seen.revision += 1;
        self.c.send(Msg::Observed(Arc::new(self.seen.clone()).into()));
    }

    pub fn happen(&mut self, event: Event) {
        let entry = campaign::Entry { at: self.c.now, by: "alice@bastion".into(), token: 1, heard: 0, event };
        self.campaign.apply(entry).expect("a legal order");
        self.tell();
    }

    fn moved(&self, item: usize) -> Move {
        match &self.campaign.items[item] {
            Intent::Move { moved } => moved.clone(),
            other => panic!("no move: {other:?}"),
        }
    }

    fn ran(&mut self, event: RunEvent) {
        let run = self.run.as_mut().expect("a run");
        let entry = Entry { at: self.c.now, by: "alice@bastion".into(), token: 1, event };
        run.apply(entry).expect("a legal order");
        self.tell();
    }

    /// The run of an item is begun.
    pub fn begin(&mut self, item: usize) {
        let approved =
            plan(&self.seen, &self.campaign.items[item]).approve(None, None).expect("it may be done");
        let id = format!("20261121-0313{item:02}-{item:04x}");
        let mut run = Run::new(id.clone(), "alice@bastion", approved);
        run.campaign = Some(self.campaign.id.clone());
        self.run = Some(run);
        self.happen(Event::Began { item, run: id });
        self.ran(RunEvent::Taken);
        self.ran(RunEvent::Started { step: 0 });
    }

    /// The next step of the run is done, and the one after it begun.
    pub fn step(&mut self) {
        let run = self.run.as_ref().expect("a run");
        let step = run.current().expect("a step is left");
        let all = run.steps.len();
        self.pass(2);
        self.ran(RunEvent::Done { step, text: "done".into() });
        let next = step + 1;
        if next < all && self.run.as_ref().is_some_and(|run| run.plan().steps[next].takes_back.is_none()) {
            self.ran(RunEvent::Started { step: next });
        }
    }

    /// The new pod is adopted: for a moment the old one is still leaving.
    pub fn adopt(&mut self, item: usize) {
        let moved = self.moved(item);
        let old = self.seen.pods.get(&moved.pod).expect("the pod that goes").clone();
        let to: NodeName = moved.to.clone().expect("a target");
        let key = Key::new(old.key.namespace.clone(), format!("{}-m", old.key.name));
        let new = Pod {
            key: key.clone(),
            uid: format!("m-{}", old.uid).into(),
            node: Some(to),
            ..Pod::clone(&old)
        };
        let leaving = Pod { deleting: Some(self.c.now), ..Pod::clone(&old) };
        self.seen.observe(Observation::Pod(Seen::Put(key, new)));
        self.seen.observe(Observation::Pod(Seen::Put(old.key.clone(), leaving)));
        self.tell();
    }

    /// The old pod is gone, and the item done.
    pub fn finish(&mut self, item: usize) {
        let moved = self.moved(item);
        self.seen.observe(Observation::Pod(Seen::Gone(moved.pod.clone())));
        self.pass(1);
        self.run = None;
        self.happen(Event::Done {
            item,
            pod: Some(format!("{}-m", moved.pod.name)),
            was: None,
            unpredicted: None,
        });
    }

    /// A whole move.
    pub fn carry_out(&mut self, item: usize) {
        self.begin(item);
        let adopts = |change: &Change| matches!(change, Change::Adopt(_));
        while let Some(step) = self.run.as_ref().and_then(Run::current) {
            if self.run.as_ref().is_some_and(|run| run.plan().steps[step].takes_back.is_some()) {
                break;
            }
            let adopting = self.run.as_ref().is_some_and(|run| adopts(&run.plan().steps[step].change));
            self.step();
            if adopting {
                self.adopt(item);
            }
        }
        self.finish(item);
    }

    pub fn done(&mut self) {
        let (done, all) = (self.campaign.counts().done, self.campaign.items.len());
        let text = format!("{}: {done} of {all} done", self.campaign.goal);
        self.happen(Event::Finished { whole: true, text });
    }

    /// What another cockpit sees of it: its journals, and its lease.
    pub fn journaled(&self) -> Snapshot {
        let mut seen = self.seen.clone();
        let key = Key::new("wheelhouse", format!("campaign-{}", self.campaign.id));
        let events = self.campaign.entries.iter().map(record::line).collect::<String>();
        let journal = Journal {
            key: key.clone(),
            resource_version: "1".into(),
            created: seen.at,
            state: None,
            of: Written::Campaign,
            plan: record::head(&self.campaign).expect("it fits").into(),
            events: events.into(),
            asked: "".into(),
        };
        seen.observe(Observation::Journal(Seen::All(vec![(key, journal)], seen.at)));
        let key = Key::new("wheelhouse", "campaign");
        let lease = Lease {
            key: key.clone(),
            resource_version: "1".into(),
            holder: Some("alice@bastion 4711-abcd".into()),
            run: Some(self.campaign.id.as_str().into()),
            acquired: Some(seen.at),
            renewed: Some(seen.at),
            seconds: 30,
            transitions: 1,
        };
        seen.observe(Observation::Lease(Seen::All(vec![(key, lease)], seen.at)));
        seen
    }
}

/// Half way: the third move has its new pod ready.
pub fn half_way(size: (u16, u16)) -> Played {
    let mut played = Played::begun(size, "b");
    played.carry_out(0);
    played.carry_out(1);
    played.begin(2);
    played.step();
    played.step();
    played.pass(4);
    played.tell();
    played
}

/// All of it.
pub fn through(size: (u16, u16)) -> Played {
    let mut played = half_way(size);
    while played.run.as_ref().and_then(Run::current).is_some_and(|step| step < 4) {
        played.step();
    }
    played.adopt(2);
    played.finish(2);
    for item in 3..played.campaign.items.len() {
        played.carry_out(item);
    }
    played.done();
    played
}

/// From the finding to the last move: the frames of the picture that moves.
pub fn film() -> Film {
    let size = (80, 24);
    let mut frames = Vec::new();
    let mut c = Cockpit::of(BACK, size);
    let colours = picture::colours(&c);
    frames.push((c.buffer(), 2.5));
    c.keys("b");
    c.rehearse_all();
    frames.push((c.buffer(), 5.0));
    let mut played = Played::begun(size, "b");
    frames.push((played.c.buffer(), 0.8));
    for item in 0..played.campaign.items.len() {
        played.begin(item);
        frames.push((played.c.buffer(), 0.7));
        for step in 0..4 {
            played.step();
            // The new pod takes the place of the other with the adoption, the fourth step.
            if step == 3 {
                played.adopt(item);
            }
            frames.push((played.c.buffer(), if item < 2 { 0.6 } else { 0.3 }));
        }
        played.finish(item);
        frames.push((played.c.buffer(), 0.5));
    }
    played.done();
    frames.push((played.c.buffer(), 4.0));
    Film { frames, colours }
}

#[test]
fn a_campaign_under_way_shows_how_far_it_is_and_the_matrix_filling_up() {
    for (name, size) in
        [("campaign_80x24", (80, 24)), ("campaign_200x50", (200, 50)), ("campaign_40x12", (40, 12))]
    {
        // A terminal may be made smaller than the review would have allowed.
        let mut played = half_way((80, 24));
        played.c.resize(size.0, size.1);
        assert_eq!(played.c.app.place(), Place::Campaign("20261121-031201-4f2a".into()));
        look!(name, played.c);
    }
    let text = half_way((80, 24)).c.text();
    assert!(text.contains("2 of 6") && text.contains("about"), "{text}");
    assert!(text.contains("✓ new pod on worker-3  ✓ ready  ▸ old chosen"), "{text}");
    let row = text.lines().find(|l| l.contains("blackmesa") && l.contains('✓')).expect("a row that is done");
    let cells: Vec<_> = row.split_whitespace().collect();
    // Both grids say the same by now: one pod on w3, one on w4.
    assert_eq!(cells[2..7], ["·", "·", "1", "1", "·"], "{row}");
}

#[test]
fn a_campaign_that_is_done_sums_up_and_says_what_stays() {
    for (name, size) in [("campaign_done_80x24", (80, 24)), ("campaign_done_200x50", (200, 50))] {
        look!(name, through(size).c);
    }
    let mut played = through((80, 24));
    let text = played.c.text();
    assert!(
        text.contains("6 of 6 done") && text.contains("2 tenants stay doubled up: initech, store"),
        "{text}"
    );
    played.c.keys("tab");
    look!("campaign_steps_80x24", played.c);
    played.c.keys("esc 3");
    look!("runs_campaign_80x24", played.c);
    assert!(
        played.c.text().contains("rebalance the clust") && played.c.text().contains("1 run"),
        "{}",
        played.c.text()
    );
}

#[test]
fn a_campaign_is_paused_skipped_and_stopped_by_keys() {
    let mut played = half_way((80, 24));
    let wish = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::Wish(_, wish) => Some(wish),
            _ => None,
        })
    };
    assert_eq!(wish(played.c.keys("p")), Some(Wish::Pause));
    assert_eq!(wish(played.c.keys("s")), Some(Wish::SkipTenant { tenant: "dunder".into() }));
    assert_eq!(wish(played.c.keys("S")), Some(Wish::Stop));
    assert_eq!(wish(played.c.keys("r")), None, "it is under way");
    assert!(played.c.text().contains("is under way: p pauses it"), "{}", played.c.text());
    // What is through cannot be skipped.
    assert_eq!(wish(played.c.keys("g s")), None);
    assert!(played.c.text().contains("through already"), "{}", played.c.text());
    // Enter opens the run of the row.
    played.c.keys("j j enter");
    assert!(matches!(played.c.app.place(), Place::Run(_)), "{:?}", played.c.app.place());
}

#[test]
fn another_cockpit_shows_the_same_and_may_ask_for_a_pause() {
    let played = half_way((80, 24));
    let mut other = Cockpit::with(BACK, (80, 24), |setup| setup.operator = "bob@desk".into());
    other.now = played.c.now;
    other.send(Msg::Observed(Arc::new(played.journaled()).into()));
    let text = other.text();
    assert!(text.contains("4f2a") && text.contains("running, 2 of 6: rebalance the c"), "{text}");
    other.keys("3 enter");
    look!("campaign_of_another_80x24", other);
    let text = other.text();
    assert!(text.contains("alice@bastion drives it") && text.contains("2 of 6"), "{text}");
    let effects = other.keys("p");
    assert!(matches!(effects.as_slice(), [Effect::Wish(_, Wish::Pause)]), "{effects:?}");
}

#[test]
fn an_interrupted_campaign_is_the_first_trouble_and_is_gone_on_with() {
    let played = half_way((80, 24));
    let mut seen = played.journaled();
    // Its lease has run out.
    seen.at += SignedDuration::from_mins(14);
    let mut other = Cockpit::with(BACK, (80, 24), |setup| setup.operator = "bob@desk".into());
    other.now = seen.at;
    other.send(Msg::Observed(Arc::new(seen).into()));
    look!("campaign_interrupted_80x24", other);
    other.keys("n");
    assert_eq!(other.app.place(), Place::Runs);
    assert!(other.text().contains("1 unfinished"), "{}", other.text());
    other.keys("r");
    assert!(other.text().contains("Go on with campaign 4f2a?"), "{}", other.text());
    let effects = other.keys("y");
    assert!(effects.iter().any(|e| matches!(e, Effect::GoOn(_, None))), "{effects:?}");
    assert_eq!(other.app.place(), Place::Campaign("20261121-031201-4f2a".into()));
}

#[test]
fn a_campaign_that_stops_at_a_surprise_says_why_and_shows_what_is_left() {
    let mut played = half_way((80, 24));
    played.run = None;
    played.happen(Event::Failed {
        item: 2,
        why: "worker-3 is not ready: the new pod was deleted again".into(),
    });
    let why = "dunder: worker-3 is not ready".to_owned();
    played.happen(Event::Paused { why, asked: false, beyond: Some(3) });
    look!("campaign_paused_80x24", played.c);
    assert!(played.c.text().contains("worker-3 is not ready"), "{}", played.c.text());
    // What is left is shown on what is seen now, and wants a yes of its own.
    played.c.keys("r");
    assert!(played.c.text().contains("Go on: rebalance the cluster"), "{}", played.c.text());
    played.c.rehearse_all();
    played.c.keys("y");
    let effects = played.c.wait(300);
    assert!(matches!(effects.as_slice(), [Effect::GoOn(_, Some(_))]), "{effects:?}");
}

#[test]
fn what_has_ended_says_when_and_why_and_not_what_it_waited_for() {
    let why = |c: &Cockpit, tenant: &str| {
        let text = c.text();
        let row = text.lines().find(|line| line.chars().take(24).collect::<String>().contains(tenant));
        let row = row.unwrap_or_else(|| panic!("no {tenant}: {text}"));
        row.chars().skip(66).collect::<String>().trim().to_owned()
    };
    let mut played = half_way((80, 24));
    assert_eq!(
        (why(&played.c, "blackmesa"), why(&played.c, "globex")),
        ("done 03:12".into(), "doubled".into())
    );
    played.run = None;
    played.happen(Event::Failed { item: 2, why: "worker-3 is not ready".into() });
    assert_eq!(why(&played.c, "dunder"), "failed 03:12");
    played.happen(Event::Finished { whole: false, text: "stopped by alice@bastion".into() });
    assert_eq!(why(&played.c, "globex"), "not begun");
    played.c.keys("tab");
    let text = played.c.text();
    assert_eq!((text.matches("done 03:12").count(), text.matches("not begun").count()), (2, 3), "{text}");
}

#[test]
fn undo_of_a_campaign_is_a_review_of_the_moves_back() {
    let mut played = through((80, 24));
    played.c.keys("u");
    look!("campaign_undo_80x24", played.c);
    let text = played.c.text();
    assert!(text.contains("Undo campaign 4f2a") && text.contains("6 moves"), "{text}");
}

#[test]
fn what_was_done_to_a_node_is_taken_back_from_its_row() {
    let nothing = "nothing was done to worker-1 that can be taken back";
    let mut c = Cockpit::of(BACK, (80, 24));
    c.keys("2 > u");
    assert!(c.text().contains(nothing), "{}", c.text());
    let mut it = Played::begun((80, 24), "2 > D");
    it.c.keys("2 u");
    let text = it.c.text();
    assert!(text.contains("worker-1") && !text.contains("nothing was done"), "{text}");
    it.c.keys("j u");
    assert!(it.c.text().contains("nothing was done to worker-2"), "{}", it.c.text());
}
