//! The cluster: quorum, partitions, transfers, flow control.

use std::collections::BTreeSet;
use std::time::Duration;

use wheelhouse::demo::database::member::{Hold, Process, State as Local};
use wheelhouse::demo::database::{Options, State};

use super::{seconds, world};

#[test]
fn quorum_counts_weights_and_forgives_a_goodbye() {
    let primary = |s: &State, at: usize| s.galera.members[at].view.primary;
    // A crash counts against the rest, a goodbye does not.
    for (members, crash, stop, survives) in [
        (3, vec![1, 2], vec![], false),
        (3, vec![], vec![1, 2], true),
        (3, vec![2], vec![1], false),
        (2, vec![1], vec![], false),
        (4, vec![2, 3], vec![], false),
        (5, vec![3, 4], vec![], true),
        (5, vec![2, 3, 4], vec![], false),
        (5, vec![3, 4], vec![2], false),
        (5, vec![4], vec![2, 3], false),
    ] {
        let mut s = world(members);
        stop.iter().for_each(|m| s.galera.stop(*m));
        crash.iter().for_each(|m| s.galera.kill(*m));
        s.step(seconds(10));
        let left = f64::from(members) - stop.len() as f64;
        let expected = (left - crash.len() as f64) * 2.0 > left;
        assert_eq!(primary(&s, 0), expected, "{members} members, {crash:?} crash, {stop:?} leave");
        assert_eq!(survives && stop.is_empty(), expected && stop.is_empty());
    }
    // One after the other each loss is measured against the view before it.
    let mut s = world(5);
    for (dies, survives) in [(4, true), (3, true), (2, true), (1, false)] {
        s.galera.kill(dies);
        s.step(seconds(10));
        assert_eq!(primary(&s, 0), survives, "after {dies}");
    }
    // Weights: two of three die, and the heavy one carries on alone.
    let mut s = world(3);
    s.galera.members[0].weight = 3;
    s.galera.kill(1);
    s.galera.kill(2);
    s.step(seconds(10));
    assert!(primary(&s, 0));
    let mut s = world(3);
    s.galera.members[0].weight = 3;
    s.galera.kill(0);
    s.step(seconds(10));
    assert!(!primary(&s, 1) && !primary(&s, 2), "2 of 5 is no quorum");
}

#[test]
fn a_partition_leaves_one_side_and_heals_by_itself() {
    let mut s = world(3);
    s.galera.isolate(2);
    s.step(seconds(3));
    assert_eq!(s.galera.members[0].view.members, [0, 1]);
    assert!(s.galera.members[2].view.primary, "the side that was cut off notices later");
    s.step(seconds(3));
    assert!(!s.galera.members[2].view.primary && s.galera.members[0].view.primary);
    let before = s.galera.members[2].committed;
    s.galera.heal();
    s.step(seconds(5));
    assert!(s.galera.members.iter().all(|m| m.view.primary && m.view.members.len() == 3 && m.ready()));
    assert!(s.galera.members[2].committed > before, "it has received what it missed");
}

#[test]
fn a_woken_member_claims_an_old_view_for_six_seconds() {
    let mut s = world(3);
    s.galera.freeze(0);
    s.step(seconds(10));
    let (old, new) = (s.galera.members[0].view.clone(), s.galera.members[1].view.clone());
    assert_eq!((old.members.len(), new.members.len()), (3, 2));
    s.galera.wake(0);
    s.step(seconds(5));
    let m = &s.galera.members[0];
    assert_eq!((m.local_state(), m.view.conf_id + 1), (Local::Synced, new.conf_id));
    s.step(seconds(2));
    assert!(!s.galera.members[0].view.primary);
    s.step(seconds(3));
    assert!(s.galera.members.iter().all(|m| m.view.members.len() == 3 && m.ready()));
}

#[test]
fn a_crashed_member_comes_back_by_an_incremental_transfer_or_a_full_one() {
    for (gcache, full) in [(2 << 30, false), (1 << 20, true)] {
        let mut s = world(3);
        s.galera.members.iter_mut().for_each(|m| m.gcache = gcache);
        s.galera.kill(2);
        s.step(seconds(30));
        s.galera.start(2);
        s.step(seconds(3));
        let donor = s.galera.members.iter().position(|m| m.donating == Some(2)).unwrap();
        assert_eq!((donor, s.galera.members[donor].local_state()), (1, Local::Donor));
        assert_eq!(s.galera.members[2].process, Process::Starting, "the SQL port is closed meanwhile");
        assert_eq!(s.galera.members[0].view.members.len(), 3, "and its peers count it already");
        s.step(seconds(10));
        assert_eq!(s.galera.members[2].process == Process::Starting, full);
        s.step(seconds(60));
        assert!(s.galera.members.iter().all(|m| m.ready() && m.desync_count() == 0));
        let positions: BTreeSet<_> = s.galera.members.iter().map(|m| m.committed / 100).collect();
        assert!(positions.len() <= 2, "{positions:?}");
    }
}

#[test]
fn everything_down_comes_back_by_bootstrapping_the_most_advanced() {
    let mut s = world(3);
    (0..3).for_each(|m| s.galera.kill(m));
    s.step(seconds(5));
    let history = s.galera.members[0].history.clone();
    assert!(s.galera.members[0].grastate(true).contains("seqno:   -1\nsafe_to_bootstrap: 0"));
    let line = s.galera.members[0].recovered().unwrap();
    assert_eq!(
        line,
        format!("[Note] WSREP: Recovered position: {history}:{}", s.galera.members[0].committed)
    );
    s.galera.bootstrap(0);
    assert_eq!(s.galera.members[0].recovered(), None);
    (1..3).for_each(|m| s.galera.start(m));
    s.step(seconds(30));
    assert!(s.galera.members.iter().all(|m| m.ready() && m.view.members.len() == 3));
}

#[test]
fn a_schema_change_stops_every_commit_and_shows_in_no_status() {
    let mut s = world(3);
    s.step(seconds(1));
    let before = s.galera.members[1].committed;
    s.step(seconds(1));
    assert!(s.galera.members[1].committed > before);
    s.galera.toi(0, "ALTER TABLE invoices ADD COLUMN note TEXT, ALGORITHM=COPY", 18_800);
    let before: Vec<_> = s.galera.members.iter().map(|m| m.committed).collect();
    s.step(seconds(18));
    assert_eq!(before, s.galera.members.iter().map(|m| m.committed).collect::<Vec<_>>());
    assert!(s.galera.members.iter().all(|m| m.ready() && !m.paused && m.queue() == 0));
    let done = s.galera.toi.as_ref().unwrap().change.progress(s.galera.now);
    assert!((95.0..96.0).contains(&done), "{done}");
    s.step(seconds(2));
    assert!(s.galera.members[2].committed > before[2]);
}

#[test]
fn a_lock_throttles_everybody_and_a_read_lock_only_its_own_member() {
    let mut s = world(3);
    let before = s.galera.members[0].counters.paused_ns;
    let id = s.galera.hold(2, "batch", Hold::TableLock("invoices WRITE".to_owned()));
    s.step(seconds(10));
    let paused = s.galera.members[0].counters.paused_ns - before;
    assert!((8_000_000_000..=10_000_000_000).contains(&paused), "{paused}");
    assert!(
        s.galera.members[2].requests_pause
            && !s.galera.members[0].requests_pause
            && s.galera.members[0].paused
    );
    assert!(s.galera.end_session(2, id));
    s.step(seconds(1));
    let paused = s.galera.members[0].counters.paused_ns;
    s.galera.hold(2, "backup", Hold::ReadLock);
    let before = s.galera.members[2].committed;
    s.step(seconds(10));
    let m = &s.galera.members[2];
    assert_eq!((m.committed, m.local_state(), m.desync), (before, Local::Donor, false));
    assert!(m.queue() > 1000 && s.galera.members[0].counters.paused_ns == paused);
}

#[test]
fn flush_status_on_one_member_resets_all_but_not_the_nanoseconds() {
    let mut s = world(3);
    s.galera.members[2].apply_rate = 40.0;
    s.step(seconds(10));
    let ns = s.galera.members[0].counters.paused_ns;
    assert!(ns > 0 && s.galera.members[0].counters.fc_recv > 0);
    s.galera.flush_status(1);
    let c = &s.galera.members[0].counters;
    assert_eq!((c.fc_recv, c.paused_ns), (0, ns));
}

#[test]
fn the_same_seed_gives_the_same_world_however_time_is_cut() {
    let print = |s: &State| {
        let members: Vec<_> =
            s.galera.members.iter().map(|m| (m.committed, m.counters.clone(), m.gcomm.clone())).collect();
        let pools: Vec<_> = s.proxies.iter().map(|p| p.hostgroups.backends.clone()).collect();
        format!("{members:?} {pools:?}")
    };
    let (mut a, mut b) = (world(3), world(3));
    for s in [&mut a, &mut b] {
        s.galera.freeze(1);
    }
    a.step(seconds(40));
    for _ in 0..400 {
        b.step(Duration::from_millis(37));
        b.step(Duration::from_millis(63));
    }
    assert_eq!(print(&a), print(&b));
    let other =
        State::new(&Options { seed: 2, ..Options::default() }, &[([127, 0, 0, 1], 24_010).into()], &[]);
    assert_ne!(other.galera.members[0].history, a.galera.members[0].history);
}
