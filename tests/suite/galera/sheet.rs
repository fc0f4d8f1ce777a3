//! The recovery sheet, followed to the letter: what it prints is what is typed, on each member's machine.

use std::{process::Stdio, time::Instant};

use wheelhouse::cluster::{
    MemberName,
    database::{Case, Saved, Sheet},
};

use super::{
    eye::Eye,
    lab::{Lab, PATIENCE},
};

/// A step as it stands on the printed sheet.
struct Printed {
    on: u16,
    what: String,
    /// What a person types where the server is not run by systemd.
    command: String,
}

/// Reads the steps off the printed sheet.
fn printed(lab: &Lab, sheet: &Sheet) -> Vec<Printed> {
    let text = sheet.to_string();
    let Some((_, steps)) = text.split_once("\nSTEPS, in this order\n") else { return Vec::new() };
    let mut all: Vec<Printed> = Vec::new();
    for line in steps.lines() {
        let line = line.trim();
        let number = format!("{}. on ", all.len() + 1);
        if let Some((on, what)) = line.strip_prefix(&number).and_then(|rest| rest.split_once(": ")) {
            let named = (1..=lab.count).find(|n| on == format!("db{n}") || on == lab.name(*n).as_str());
            all.push(Printed { on: named.expect("a member"), what: what.into(), command: String::new() });
        } else {
            let step = all.last_mut().expect("a command belongs to a step");
            step.command = line.strip_prefix("by hand: ").unwrap_or(line).to_owned();
        }
    }
    all
}

/// Types one command on the machine of its member, and returns what it printed.
async fn typed(lab: &mut Lab, step: &Printed) -> String {
    let Printed { on, what, command } = step;
    eprintln!("  on db{on}: {command}");
    let sql = ["SET ", "SHOW "].iter().any(|verb| command.starts_with(verb));
    if sql && what.starts_with("must say Primary and Synced") {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer =
                lab.root(*on).ask(command).await.map(|a| format!("{:?}", a.rows)).unwrap_or_default();
            if answer.contains("\"Primary\"") && answer.contains("\"Synced\"") {
                return answer;
            }
            assert!(Instant::now() < deadline, "db{on} is not Primary and Synced: {answer}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    if sql {
        return format!("{:?}", lab.run(*on, command).await.rows);
    }
    if command.starts_with("mariadbd") {
        // A server started by hand stays in its terminal.
        let child =
            lab.shell(*on, &format!("exec {command}")).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        lab.running[usize::from(*on)] = Some(child.expect("sh"));
        return String::new();
    }
    let output = lab.shell(*on, command).output().expect("sh");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command}\n{out}\n{err}");
    out.into_owned()
}

/// Collects the evidence the sheet asks for, with the commands it prints for that.
async fn gathered(lab: &mut Lab, sheet: &Sheet) -> Vec<(MemberName, Saved)> {
    let mut fed = Vec::new();
    for step in printed(lab, sheet).iter().filter(|s| s.what.contains("feed both to this sheet")) {
        let told = typed(lab, step).await;
        fed.push((lab.name(step.on), Saved::parse(&told).unwrap_or_else(|e| panic!("{e}: {told}"))));
    }
    fed
}

/// Does what the sheet says, step by step.
async fn follow(lab: &mut Lab, sheet: &Sheet) {
    let steps = printed(lab, sheet);
    assert!(!steps.is_empty(), "{sheet}");
    for step in &steps {
        let told = typed(lab, step).await;
        if step.command.starts_with("pgrep") {
            assert_eq!(told.trim(), "not running");
        }
    }
}

/// Members two and three were killed: the one that is left is made the primary component.
pub async fn survivor_without_quorum(lab: &mut Lab, eye: &mut Eye) {
    let blank = eye.sheet(&[]);
    assert!(blank.case == Case::NoQuorum && !blank.verdict.proven, "{blank}");
    let text = blank.to_string();
    assert!(text.starts_with("RECOVERY SHEET: members answer, none has a quorum\n"), "{text}");
    assert!(text.contains("that they are dead is not proven"), "{text}");
    let fed = gathered(lab, &blank).await;
    assert_eq!(fed.len(), 2, "{blank}");
    let sheet = eye.sheet(&fed);
    assert_eq!((sheet.verdict.member.as_deref(), sheet.verdict.proven), (Some("db1"), true), "{sheet}");
    follow(lab, &sheet).await;
    eye.until_states("recovered by the sheet", &["synced"; 3]).await;
}

/// All are killed at once, while they write.
pub async fn all_killed(lab: &mut Lab, eye: &mut Eye) {
    let writing = lab.writer(1);
    eye.until("writes", |eye| {
        eye.database().members[1].now().is_some_and(|s| s.commits.is_some_and(|rate| rate > 10.0))
    })
    .await;
    for node in [2, 3, 1] {
        lab.kill(node);
    }
    drop(writing);
    eye.until_states("all down", &["down"; 3]).await;
    assert_eq!(eye.headline(), "galera DOES NOT ANSWER");
    assert_eq!(eye.text("galera-no-quorum"), "none of 3 members answers");
    let blank = eye.sheet(&[]);
    assert!(blank.case == Case::AllDown && blank.verdict.member.is_none(), "{blank}");
    let fed = gathered(lab, &blank).await;
    assert_eq!(fed.len(), 3, "{blank}");
    let sheet = eye.sheet(&fed);
    let best = fed.iter().filter_map(|(_, saved)| saved.position()).map(|p| p.seqno).max();
    assert!(sheet.verdict.proven, "{sheet}");
    assert_eq!(sheet.verdict.position.as_ref().map(|p| p.seqno), best, "{sheet}");
    follow(lab, &sheet).await;
    eye.until_states("recovered from nothing by the sheet", &["synced"; 3]).await;
    assert!(!eye.has("galera-reformed"));
    let mut counts = Vec::new();
    for node in 1..=3 {
        let mut sql = lab.root(node);
        sql.ask("SET SESSION wsrep_sync_wait=1").await.expect("a wait");
        counts.push(sql.ask("SELECT COUNT(*), SUM(id) FROM t.b").await.expect("rows").rows);
    }
    assert!(counts[0] == counts[1] && counts[1] == counts[2], "the members hold different data: {counts:?}");
}

/// All are killed and started without their positions: they find each other, and nothing says that their data differ.
pub async fn re_formed_without_a_position(lab: &mut Lab, eye: &mut Eye) {
    for node in [2, 3, 1] {
        lab.kill(node);
    }
    eye.until_states("all down again", &["down"; 3]).await;
    for node in 1..=3 {
        lab.start(node, &[]);
    }
    eye.until_states("re-formed", &["re-formed, data may differ"; 3]).await;
    let text = eye.text("galera-reformed");
    assert!(text.contains("formed by members that knew no position: they may hold different data"), "{text}");
    assert!(text.ends_with("Stop writes"), "{text}");
    let sheet = eye.sheet(&[]);
    assert!(sheet.case == Case::Reformed && sheet.verdict.member.is_none(), "{sheet}");
    let (act, search): (Vec<_>, Vec<_>) =
        printed(lab, &sheet).into_iter().partition(|s| !s.command.starts_with("grep"));
    assert_eq!((act.len(), search.len()), (6, 3), "{sheet}");
    for step in act {
        typed(lab, &step).await;
    }
    eye.until_states("stopped by the sheet", &["down"; 3]).await;
}
