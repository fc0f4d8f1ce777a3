//! The recovery sheet: evidence, verdict and steps.

use wheelhouse::cluster::{
    Member, Trouble,
    database::{Case, Evidence, Saved, Sheet, recovery},
};

use super::{address, captured, database, healthy, now, said, silent};

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
    assert!(Saved::parse("hello\nworld: 1").unwrap_err().contains("grastate.dat"));
    assert!(Saved::parse("uuid: 616bac65-e57f-11f1-a4d7-53902d4ee3af\nseqno: many").is_err());
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
    assert_eq!(commands[1], format!("mariadbd --wsrep-new-cluster --wsrep_start_position={UUID}:12"));
    assert_eq!(commands[3], format!("mariadbd --wsrep_start_position={UUID}:10"));
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
    assert!(survivor.steps[0].command.contains("pgrep") && survivor.steps[1].command.contains("pgrep"));
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
