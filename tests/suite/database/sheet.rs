//! The recovery sheet: evidence, verdict and steps.

use wheelhouse::cluster::{
    Member, Trouble,
    database::{Case, Evidence, Saved, Sheet, recovery},
};

use super::{address, captured, changed, database, healthy, now, said, silent};

const UUID: &str = "616bac65-e57f-11f1-a4d7-53902d4ee3af";

fn grastate(seqno: i64, safe: u8) -> String {
    format!(
        "# GALERA saved state\nversion: 2.1\nuuid:    {UUID}\nseqno:   {seqno}\nsafe_to_bootstrap: {safe}\n"
    )
}

#[test]
fn evidence_is_read_from_what_people_paste() {
    let saved = Saved::parse(&captured("galera/wsrep-recover.n1.log")).unwrap();
    assert_eq!(saved.position().unwrap().to_string(), format!("{UUID}:22134"));
    let crashed = Saved::parse(&grastate(-1, 0)).unwrap();
    assert_eq!((crashed.position(), crashed.empty), (None, false));
    let both = Saved::parse(&format!("{}2026 [Note] WSREP: Recovered position: {UUID}:7\n", grastate(-1, 0)))
        .unwrap();
    assert_eq!(both.position().unwrap().seqno, 7);
    assert_eq!(Saved::parse(&format!("{UUID}:12")).unwrap().position().unwrap().seqno, 12);
    let zero = "00000000-0000-0000-0000-000000000000:-1";
    assert!(Saved::parse(&format!("Recovered position: {zero}")).unwrap().empty);
    // Its own history without a place in it is not nothing: where it stands is not known.
    let nowhere = Saved::parse(&format!("Recovered position: {UUID}:-1")).unwrap();
    assert_eq!((nowhere.position(), nowhere.empty), (None, false));
    assert!(Saved::parse("hello\nworld: 1").unwrap_err().contains("grastate.dat"));
    assert!(Saved::parse("uuid: 616bac65-e57f-11f1-a4d7-53902d4ee3af\nseqno: many").is_err());
}

#[test]
fn two_recovered_positions_without_a_start_between_them_are_told_and_prove_nothing() {
    let line = |seqno: u64| format!("WSREP: Recovered position: {UUID}:{seqno}\n");
    let fed = |first: String| {
        let members: Vec<_> = (1..=3).map(|node| silent(node, Trouble::Refused)).collect();
        sheet(members, &[(1, first), (2, line(40)), (3, line(41))])
    };
    assert!(fed(line(50)).verdict.proven);
    let twice = fed(line(5) + &line(600));
    let text = twice.to_string();
    assert!(!twice.verdict.proven && text.contains("several recovered positions, 5 and 600"), "{text}");
    assert!(!text.contains("galera_new_cluster"), "{text}");
    // The same position again, and one before a start of the server, are what every error log has.
    assert!(fed(line(50) + &line(50)).verdict.proven);
    assert!(fed(line(5) + "mariadbd: ready for connections.\n" + &line(600)).verdict.proven);
}

#[test]
fn a_damaged_grastate_and_one_that_is_not_used_are_told() {
    for (fed, why) in [
        ("uuid:    6f1d\nseqno:   12\nsafe_to_bootstrap: 0\n".to_owned(), "`uuid:    6f1d` is no uuid"),
        (grastate(12, 0).replace("seqno:   12\n", ""), "has a uuid and no seqno: it is cut off"),
        ("version: 2.1\nseqno: 12\n".to_owned(), "has a seqno and no uuid: it is cut off"),
        (grastate(12, 3), "safe_to_bootstrap is 0 or 1"),
        (
            format!("{}seqno: 600000000\n", grastate(5, 0)),
            "`seqno` is there twice, as 5 and as 600000000: grastate.dat is damaged",
        ),
        (format!("{}safe_to_bootstrap: 1\n", grastate(5, 0)), "`safe_to_bootstrap` is there twice"),
        (grastate(12, 0).replace("seqno:   12", "seqno:   1x"), "a seqno is a number"),
    ] {
        let said = Saved::parse(&fed).unwrap_err();
        assert!(said.contains(why), "{fed}: {said}");
    }
    let mut members = healthy();
    members[1] = silent(2, Trouble::Refused);
    let used = sheet(members.clone(), &[(2, grastate(12, 0))]).to_string();
    assert!(!used.contains("is not used"), "{used}");
    let ignored = sheet(members, &[(1, grastate(12, 0))]).to_string();
    assert!(ignored.contains("it answers: what it says itself counts"), "{ignored}");
}

const ZERO: &str = "00000000-0000-0000-0000-000000000000";

#[test]
fn evidence_of_another_time_is_no_evidence() {
    // An error log goes on after the position of an older start: systemd prints one at every start after a crash.
    let served =
        format!("WSREP: Recovered position: {UUID}:50\n/usr/sbin/mariadbd: ready for connections.\n");
    assert!(Saved::parse(&served).unwrap_err().contains("has served since"));
    let crashed = Saved::parse(&format!("{}{served}", grastate(-1, 0))).unwrap_err();
    assert!(crashed.contains("Run --wsrep-recover again"), "{crashed}");
    let again = Saved::parse(&format!("{served}WSREP: Recovered position: {UUID}:70\n")).unwrap();
    assert_eq!(again.position().unwrap().seqno, 70);
    assert_eq!(Saved::parse(&format!("{}{served}", grastate(90, 0))).unwrap().position().unwrap().seqno, 90);
    // After a clean stop both say the same (measured).
    let differ = Saved::parse(&format!("{}{UUID}:50\n", grastate(90, 0))).unwrap_err();
    assert!(differ.contains("stopped at seqno 90") && differ.contains("is 50"), "{differ}");
    assert!(Saved::parse(&format!("{}{UUID}:90\n", grastate(90, 0))).is_ok());
}

#[test]
fn an_expelled_member_is_no_candidate_though_its_tables_have_a_position() {
    // As measured: grastate.dat zeroed, --wsrep-recover prints what InnoDB last wrote.
    let zeroed = grastate(-1, 0).replace(UUID, ZERO);
    let printed = format!("2026 [Note] WSREP: Recovered position: {UUID}:16\n");
    for fed in [format!("{zeroed}{printed}"), format!("{printed}{zeroed}")] {
        let all = (1..=3).map(|node| silent(node, Trouble::Refused)).collect();
        let one = sheet(all, &[(1, format!("{UUID}:15")), (2, format!("{UUID}:14")), (3, fed)]);
        assert_eq!(one.verdict.member.as_deref(), Some("127.0.0.1:13310"), "{one}");
        let last = one.steps.iter().rev().nth(1).unwrap();
        assert!(last.what.contains("takes a full copy"), "{one}");
    }
    let all = (1..=3).map(|node| silent(node, Trouble::Refused)).collect();
    let each: Vec<_> = (1..=3).map(|n| (n, format!("{zeroed}{printed}"))).collect();
    let none = sheet(all, &each);
    assert!(
        none.verdict.member.is_none() && none.verdict.reason.contains("compare the data by hand"),
        "{none}"
    );
}

#[test]
fn two_that_left_last_stop_the_sheet() {
    let all = || (1..=3).map(|node| silent(node, Trouble::Refused)).collect();
    let two = sheet(all(), &[(1, grastate(40, 1)), (2, grastate(41, 1)), (3, grastate(30, 0))]);
    assert!(two.verdict.member.is_none() && two.steps.is_empty(), "{two}");
    assert!(two.verdict.reason.contains("127.0.0.1:13310 and 127.0.0.1:13320 left last"), "{two}");
    let best_first = sheet(all(), &[(1, grastate(41, 1)), (2, grastate(40, 1)), (3, grastate(30, 0))]);
    assert!(best_first.verdict.member.is_none() && best_first.steps.is_empty(), "{best_first}");
    // Who left last has the most, or it is another history.
    let less = sheet(all(), &[(1, grastate(40, 1)), (2, format!("{UUID}:41")), (3, grastate(30, 0))]);
    assert!(less.verdict.member.is_none() && less.steps.is_empty(), "{less}");
    // Alone it proves nothing against what another said before it fell silent.
    let went_on = said("healthy", 2, now()).failed(Trouble::Refused, "refused", now());
    let uuid = went_on.status.as_ref().unwrap().cluster_uuid.to_string();
    let members = vec![silent(1, Trouble::Refused), went_on, silent(3, Trouble::Refused)];
    let old = sheet(members, &[(1, grastate(1, 1).replace(UUID, &uuid))]);
    assert!(!old.verdict.proven && old.steps.iter().all(|s| s.command.contains("--wsrep-recover")), "{old}");
}

#[test]
fn where_a_server_may_run_nothing_is_bootstrapped() {
    let mut all: Vec<_> = (1..=3).map(|node| silent(node, Trouble::Refused)).collect();
    all[1] = silent(2, Trouble::Denied);
    let fed: Vec<_> = (1..=3).map(|n| (n, format!("{UUID}:{n}"))).collect();
    let found = sheet(all, &fed);
    assert!(found.verdict.member.is_none() && found.verdict.reason.contains("may run"), "{found}");
    assert!(found.steps.iter().all(|s| !s.command.contains("galera_new_cluster")), "{found}");
    // Beside survivors too: what is fed of it is not where it stands.
    let members =
        vec![said("nonprimary_survivor", 1, now()), silent(2, Trouble::Denied), silent(3, Trouble::Refused)];
    let fed = [(2, format!("{UUID}:100")), (3, format!("{UUID}:100"))];
    assert!(!sheet(members, &fed).verdict.proven);
}

#[test]
fn only_who_waits_for_a_quorum_with_its_whole_state_is_made_primary() {
    let bootstraps = |s: &Sheet| -> Vec<_> {
        let on = s.steps.iter().filter(|s| s.command.contains("pc.bootstrap")).map(|s| s.on.to_string());
        on.collect()
    };
    // A provider that is not connected answers 1210 (measured); equal or not, another is chosen.
    let left = |seqno: &str| {
        let changes = [("wsrep_last_committed", seqno)];
        Member::new(address(3)).answered(&changed("disconnected", 3, &changes), now())
    };
    let members = |third| vec![said("nonprimary_survivor", 1, now()), silent(2, Trouble::Refused), third];
    let two = |seqno: u64| [(2, format!("{UUID}:{seqno}"))];
    let equal = sheet(members(left("22060")), &two(100));
    assert_eq!((bootstraps(&equal), equal.verdict.proven), (vec!["n1".to_owned()], true), "{equal}");
    assert!(equal.steps.iter().any(|s| s.on.as_ref() == "n3" && s.command.contains("restart")), "{equal}");
    // It has more: it comes back first.
    let more = sheet(members(left("22061")), &two(100));
    assert!(bootstraps(&more).is_empty() && more.verdict.reason.contains("is not connected"), "{more}");
    // What a joiner tells is not what it holds, and what one without a position holds is not known.
    let joiner = Member::new(address(3))
        .answered(&changed("joining_stuck_sstskip", 2, &[("wsrep_last_committed", "99999")]), now());
    let joining = sheet(members(joiner), &two(100));
    assert_eq!((bootstraps(&joining), joining.verdict.proven), (vec!["n1".to_owned()], false), "{joining}");
    let none = sheet(members(left("-1")), &two(100));
    assert!(!none.verdict.proven, "{none}");
    assert!(none.unproven.iter().any(|line| line.contains("where n3 stands is not known")), "{none}");
}

#[test]
fn what_a_member_said_before_it_fell_silent_is_a_lower_bound() {
    let uuid = |m: &Member| m.status.as_ref().unwrap().cluster_uuid.to_string();
    let gone = |seqno: &str| {
        let other = ("wsrep_gcomm_uuid", "22222222-e57f-11f1-a4d7-53902d4ee3af");
        let rows = changed("nonprimary_survivor", 1, &[("wsrep_last_committed", seqno), other]);
        Member::new(address(2)).answered(&rows, now()).failed(Trouble::Refused, "refused", now())
    };
    let members = |seqno| vec![said("nonprimary_survivor", 1, now()), gone(seqno)];
    assert_eq!(uuid(&gone("1")), UUID);
    // It had more than the survivor: not to be bootstrapped away.
    let ahead = sheet(members("22070"), &[]);
    assert!(ahead.verdict.reason.contains("would lose 10 transactions"), "{ahead}");
    assert!(ahead.steps.iter().all(|s| !s.command.contains("pc.bootstrap")), "{ahead}");
    // Its start is one that cannot go wrong: without a position it does not start.
    let by_hand = ahead.steps[0].by_hand.clone().unwrap();
    assert!(
        by_hand.ends_with(
            "test -s /tmp/position && mariadbd --user=mysql --wsrep_start_position=$(cat /tmp/position)"
        ),
        "{by_hand}"
    );
    // Its disk says that it has lost them: told, and no hindrance.
    let lost = sheet(members("22070"), &[(2, format!("{UUID}:22050"))]);
    assert!(lost.verdict.proven && lost.verdict.member.as_deref() == Some("127.0.0.1:13310"), "{lost}");
    assert!(lost.unproven.iter().any(|l| l.contains("22070") && l.contains("22050")), "{lost}");
    // A clean stop loses none: what was fed is of another time.
    let old = sheet(members("22070"), &[(2, grastate(22050, 0))]);
    assert!(!old.verdict.proven, "{old}");
}

fn sheet(members: Vec<Member>, fed: &[(u32, String)]) -> Sheet {
    let saved: Vec<_> =
        fed.iter().map(|(n, text)| (address(*n), Saved::parse(text).expect("evidence"))).collect();
    recovery(&Evidence::of(&database(members), &saved))
}

#[test]
fn the_sheet_names_the_most_advanced_only_when_it_is_proven() {
    let down = |node| silent(node, Trouble::Refused);
    let all = || vec![down(1), down(2), down(3)];

    let blank = sheet(all(), &[]);
    assert_eq!((blank.case, blank.verdict.member.clone(), blank.steps.len()), (Case::AllDown, None, 3));
    assert!(blank.steps.iter().all(|s| s.command.contains("--wsrep-recover")));

    // Two of three known: whatever they say, the third may have more.
    let some = sheet(all(), &[(1, format!("{UUID}:10")), (2, format!("{UUID}:12"))]);
    assert!(!some.verdict.proven && some.verdict.reason.contains("seqno 12"));
    assert!(some.steps.iter().all(|s| !s.command.contains("galera_new_cluster")), "{some}");

    let known = sheet(
        all(),
        &[
            (1, format!("{UUID}:10")),
            (2, format!("{}\n{UUID}:12", grastate(-1, 0))),
            (3, format!("{UUID}:9")),
        ],
    );
    assert!(known.verdict.proven);
    assert_eq!(known.verdict.member.as_deref(), Some("127.0.0.1:13320"));
    let commands: Vec<_> =
        known.steps.iter().map(|s| s.by_hand.clone().unwrap_or(s.command.clone())).collect();
    assert!(commands[0].contains("safe_to_bootstrap: 1"));
    // The server runs as its own user, whoever types it.
    let started = commands.iter().filter(|command| command.contains("mariadbd "));
    assert!(started.clone().count() > 1 && started.clone().all(|c| c.contains("mariadbd --user=mysql")));
    assert_eq!(
        commands[1],
        format!("mariadbd --user=mysql --wsrep-new-cluster --wsrep_start_position={UUID}:12")
    );
    assert_eq!(commands[3], format!("mariadbd --user=mysql --wsrep_start_position={UUID}:10"));
    assert!(known.to_string().contains("proven by the evidence"));

    // The last to stop cleanly proves it alone.
    let last = sheet(all(), &[(3, grastate(40, 1))]);
    assert!(last.verdict.proven && last.verdict.member.as_deref() == Some("127.0.0.1:13330"));

    // Different histories never compare; a zero one is no candidate.
    let other = UUID.replace("616bac65", "716bac65");
    let mixed =
        sheet(all(), &[(1, format!("{UUID}:10")), (2, format!("{other}:99")), (3, format!("{UUID}:9"))]);
    assert!(
        mixed.verdict.member.is_none()
            && mixed.steps.is_empty()
            && mixed.verdict.reason.contains("Stop here")
    );
    let zero = "00000000-0000-0000-0000-000000000000:-1";
    let expelled = sheet(all(), &[(1, zero.into()), (2, format!("{UUID}:3")), (3, format!("{UUID}:2"))]);
    assert!(expelled.verdict.proven && expelled.verdict.member.as_deref() == Some("127.0.0.1:13320"));
}

#[test]
fn the_sheet_for_survivors_asks_about_the_silent_ones_first() {
    let down = |node| silent(node, Trouble::Refused);
    let members = || vec![said("nonprimary_survivor", 1, now()), down(2), down(3)];
    let survivor = sheet(members(), &[]);
    assert_eq!(survivor.case, Case::NoQuorum);
    assert!(!survivor.verdict.proven && survivor.verdict.member.as_deref() == Some("n1"));
    assert!(survivor.steps[..2].iter().all(|step| step.command.contains("pgrep -ax 'mariadbd|mysqld'")));
    assert!(survivor.steps[2].command.contains("pc.bootstrap=YES"));
    assert!(survivor.unproven.iter().any(|line| line.contains("two clusters")));
    let fed = sheet(members(), &[(2, format!("{UUID}:22060")), (3, format!("{UUID}:100"))]);
    assert!(fed.verdict.proven, "{fed}");
    let ahead = sheet(members(), &[(2, format!("{UUID}:22061")), (3, format!("{UUID}:100"))]);
    assert!(ahead.verdict.member.as_deref() == Some("127.0.0.1:13320") && !ahead.verdict.proven);
    assert!(ahead.steps.iter().all(|s| !s.command.contains("pc.bootstrap")), "{ahead}");

    assert_eq!(sheet(healthy(), &[]).case, Case::Primary);
    let reformed = (1..=3).map(|n| said("crash_restart_diverged", n, now())).collect();
    let reformed = sheet(reformed, &[]);
    assert!(reformed.case == Case::Reformed && reformed.steps[0].command.contains("ALL_KILL"));
    let json = serde_json::to_value(&reformed).unwrap();
    assert_eq!((&json["case"], &json["verdict"]["proven"]), (&"reformed".into(), &false.into()));
}
