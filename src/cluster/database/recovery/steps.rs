//! The single steps of the sheet, each one command for a person to run.

use super::{Evidence, Instruction};

/// `db2, db3`.
pub(super) fn labels(all: &[&Evidence]) -> String {
    all.iter().map(|e| &*e.label).collect::<Vec<_>>().join(", ")
}

pub(super) fn ask(unknown: &[&Evidence]) -> Option<String> {
    Some(match unknown {
        [] => return None,
        [one] => {
            format!("where {} stands is not known: feed its grastate.dat and --wsrep-recover line", one.label)
        }
        all => format!(
            "where {} stand is not known: feed the grastate.dat and --wsrep-recover line of each",
            labels(all)
        ),
    })
}

pub(super) fn examine(evidence: &[Evidence]) -> Vec<Instruction> {
    evidence.iter().filter(|e| e.answers.is_err()).map(examine_one).collect()
}

pub(super) fn examine_one(member: &Evidence) -> Instruction {
    Instruction {
        on: member.label.clone(),
        what: "make sure that it does not run, and read where it stands; feed both to this sheet".into(),
        command: format!(
            "if pgrep -ax 'mariadbd|mysqld'; then echo it runs; else cat {}/grastate.dat; mariadbd --user=mysql --wsrep-recover --disable-log-error 2>&1 | grep 'Recovered position'; fi",
            datadir(member)
        ),
        by_hand: None,
    }
}

pub(super) fn start(member: &Evidence, what: &str) -> Instruction {
    let position = member.saved.as_ref().and_then(|s| s.position());
    let by_hand = match position {
        Some(position) => format!("mariadbd --user=mysql --wsrep_start_position={position}"),
        None if member.is_empty() => "mariadbd --user=mysql".into(),
        // Its position was never told: it is found out before the start. Without one it would start all the same, and
        // lose its place in the history.
        None => "mariadbd --user=mysql --wsrep-recover --disable-log-error 2>&1 | sed -n 's/.*Recovered position: *//p' > /tmp/position; test -s /tmp/position && mariadbd --user=mysql --wsrep_start_position=$(cat /tmp/position)".into(),
    };
    let what = match member.is_empty() {
        true => format!("{what}; it has nothing to go on from and takes a full copy"),
        false => what.to_owned(),
    };
    Instruction {
        on: member.label.clone(),
        what,
        command: "systemctl start mariadb".into(),
        by_hand: Some(by_hand),
    }
}

pub(super) fn restart(member: &Evidence) -> Instruction {
    Instruction {
        on: member.label.clone(),
        what: "its data differ: restart it, it takes a full copy".into(),
        command: "systemctl restart mariadb".into(),
        by_hand: Some("mariadb-admin shutdown; mariadbd --user=mysql".into()),
    }
}

pub(super) fn rejoin(member: &Evidence) -> Instruction {
    Instruction {
        what: "its provider is not connected: restart it, and it joins by itself".into(),
        ..restart(member)
    }
}

pub(super) fn look(member: &Evidence) -> Instruction {
    Instruction {
        on: member.label.clone(),
        what: "must say Primary and Synced before you go on".into(),
        command: "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status','wsrep_local_state_comment','wsrep_cluster_size','wsrep_last_committed')".into(),
        by_hand: None,
    }
}

pub(super) fn datadir(member: &Evidence) -> &str {
    member.datadir.as_deref().unwrap_or("/var/lib/mysql").trim_end_matches('/')
}
