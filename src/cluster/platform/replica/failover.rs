//! The failover sheet: what is known of every server, which replica is the most advanced, what is not proven, and the
//! commands, in order. They are printed, never run.
//!
//! Rules: only a replica that has applied all it fetched may be promoted; of several the one whose position holds all
//! others'. A primary that hangs may come back and take writes: it is fenced first. A replica with writes of its own is
//! no candidate.

use std::{fmt, sync::Arc};

use serde::Serialize;

use super::{
    Gtids,
    judge::own_writes,
    server::{Server, followers, servers, source},
};
use crate::cluster::Snapshot;

/// What is known of one server.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Its name.
    pub name: Arc<str>,
    /// Its address.
    pub address: Arc<str>,
    /// `primary`, `replica`, or neither is known.
    pub role: &'static str,
    /// Why it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<Arc<str>>,
    /// What it has applied, or written as the primary.
    pub position: String,
    /// What it has fetched and not applied yet, transactions.
    pub unapplied: u64,
    /// Why it must not be promoted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfit: Option<String>,
}

/// One command, for a person to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailoverStep {
    /// On which server, or in which place.
    pub on: Arc<str>,
    /// What it does.
    pub what: String,
    /// The command.
    pub command: String,
}

/// The sheet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailoverSheet {
    /// How things are, in a sentence.
    pub case: String,
    /// What is known of every server.
    pub servers: Vec<Candidate>,
    /// The replica to promote; `None`: the evidence does not say.
    pub promote: Option<Arc<str>>,
    /// Why.
    pub reason: String,
    /// What is not proven.
    pub unproven: Vec<String>,
    /// The commands, in order.
    pub steps: Vec<FailoverStep>,
}

/// The failover sheet of the servers that are configured; `None`: none are.
pub fn failover(seen: &Snapshot) -> Option<FailoverSheet> {
    let all = servers(seen);
    if all.is_empty() {
        return None;
    }
    let candidates: Vec<_> = all.iter().map(|server| candidate(server, &all)).collect();
    let primary = all.iter().find(|server| followers(server, &all) > 0 && server.channels().is_empty());
    let case = match primary {
        Some(primary) => match primary.component.link.trouble() {
            Some(why) => format!("the primary {} does not answer: {why}", primary.key.name),
            None if primary.now().is_some() => {
                format!("the primary {} answers: this sheet is for a planned switch", primary.key.name)
            }
            None => format!("the primary {} has not been asked yet", primary.key.name),
        },
        None => "no server that is configured is known to be the primary".to_owned(),
    };
    let fit: Vec<_> = all
        .iter()
        .zip(&candidates)
        .filter(|(_, candidate)| candidate.role == "replica" && candidate.unfit.is_none())
        .collect();
    // Whose position, with what it has fetched, holds all others'.
    let reach = |server: &Server<'_>| {
        let applied = server.said.map(|said| said.applied.clone()).unwrap_or_default();
        server.channels().iter().fold(applied, |all: Gtids, channel| all.with(&channel.fetched))
    };
    let holds = |one: &Server<'_>, other: &Server<'_>| reach(other).beyond(&reach(one)) == 0;
    let best = fit.iter().find(|(one, _)| fit.iter().all(|(other, _)| holds(one, other)));
    let promote = best.map(|(_, candidate)| candidate);
    let reason = match (promote, fit.len()) {
        (Some(best), 1) => format!("{} is the only replica that may be promoted", best.name),
        (Some(best), _) => format!("{} holds all that the other replicas hold: {}", best.name, best.position),
        (None, 0) => "no replica that answers may be promoted".to_owned(),
        (None, _) => {
            "no replica holds all that the others hold: they are of different histories, or write themselves"
                .to_owned()
        }
    };
    let mut unproven = Vec::new();
    for candidate in candidates.iter().filter(|c| c.role != "primary" && c.silent.is_some()) {
        unproven.push(format!("{} does not answer: it may hold more than the others", candidate.name));
    }
    for (server, candidate) in &fit {
        let heard = server.channels().first().and_then(|channel| source(channel, &all)?.said);
        if heard.is_none() {
            unproven.push(format!(
                "{} may hold writes of its own: its primary has never said what it holds",
                candidate.name
            ));
        }
    }
    if let Some(primary) = primary.filter(|primary| primary.now().is_none()) {
        let lost = promote.map(|_| match primary.said {
            Some(said) => format!(
                "{} was at {} when it last answered: what it wrote after that and no replica fetched is lost with a failover",
                primary.key.name, said.written
            ),
            None => format!("what {} wrote and no replica fetched is lost with a failover", primary.key.name),
        });
        unproven.extend(lost);
        unproven.push(format!(
            "{} may hang and not be dead: until it is fenced it may take writes again",
            primary.key.name
        ));
    }
    let steps = promote.map_or(vec![], |best| steps(best, primary.copied(), &all, seen));
    Some(FailoverSheet {
        case,
        promote: promote.map(|best| best.name.clone()),
        reason,
        unproven,
        steps,
        servers: candidates,
    })
}

fn candidate(server: &Server<'_>, all: &[Server<'_>]) -> Candidate {
    let followed = followers(server, all);
    let said = server.said;
    let role = match said.and_then(|said| said.channels.as_deref()) {
        Some([_, ..]) => "replica",
        _ if followed > 0 => "primary",
        _ => "not known",
    };
    let channel = server.channels().first();
    let unapplied = said.zip(channel).map_or(0, |(said, channel)| channel.fetched.beyond(&said.applied));
    let unfit = match (server.now(), channel) {
        (None, _) => Some("it does not answer".to_owned()),
        (Some(_), None) if role == "not known" => Some("it follows nobody".to_owned()),
        (Some(said), Some(channel)) => {
            let primary = source(channel, all).and_then(|primary| primary.said);
            let errant = primary.map(|primary| own_writes(said, channel, primary));
            match errant {
                Some(errant) if !errant.is_empty() => {
                    Some(format!("it holds writes of its own ({})", errant.join(", ")))
                }
                _ => channel
                    .sql_error
                    .as_ref()
                    .map(|(number, _)| format!("it has stopped applying (error {number})")),
            }
        }
        _ => None,
    };
    Candidate {
        name: server.key.name.clone(),
        address: server.wanted.address.clone(),
        role,
        silent: server.component.link.trouble().map(Arc::from),
        position: match said {
            Some(said) if said.is_replica() => said.applied.to_string(),
            Some(said) => said.written.to_string(),
            None => "not known".to_owned(),
        },
        unapplied,
        unfit,
    }
}

fn steps(
    best: &Candidate,
    primary: Option<Server<'_>>,
    all: &[Server<'_>],
    seen: &Snapshot,
) -> Vec<FailoverStep> {
    let promoted = all.iter().find(|server| server.key.name == best.name);
    let maria = promoted.is_none_or(Server::is_maria);
    let step = |on: &Arc<str>, what: &str, command: String| FailoverStep {
        on: on.clone(),
        what: what.into(),
        command,
    };
    let (host, port) = best.address.rsplit_once(':').unwrap_or((&best.address, "3306"));
    let mut steps = Vec::new();
    if let Some(primary) = primary {
        let (what, command) = match primary.now() {
            Some(_) => ("let it take no more writes", "SET GLOBAL read_only = ON".to_owned()),
            None => (
                "make sure that it takes no more writes, before anything else: stop the server or its machine",
                // A server that was never heard is of the kind of its replica.
                format!(
                    "systemctl stop {}",
                    promoted.filter(|_| primary.said.is_none()).unwrap_or(&primary).unit()
                ),
            ),
        };
        steps.push(step(&primary.key.name, what, command));
    }
    let status = if maria { "SHOW SLAVE STATUS" } else { "SHOW REPLICA STATUS" };
    steps.push(step(
        &best.name,
        "wait until it has applied all it fetched: the two positions are the same",
        status.into(),
    ));
    let stop = if maria { "STOP SLAVE; RESET SLAVE ALL" } else { "STOP REPLICA; RESET REPLICA ALL" };
    steps.push(step(&best.name, "it follows nobody any more", stop.into()));
    steps.push(step(&best.name, "it takes writes", "SET GLOBAL read_only = OFF".into()));
    let follow = match maria {
        true => format!(
            "STOP SLAVE; CHANGE MASTER TO MASTER_HOST='{host}', MASTER_PORT={port}, MASTER_USE_GTID=slave_pos; START SLAVE"
        ),
        false => format!(
            "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST='{host}', SOURCE_PORT={port}, SOURCE_AUTO_POSITION=1; START REPLICA"
        ),
    };
    for other in all.iter().filter(|other| other.key.name != best.name && !other.channels().is_empty()) {
        steps.push(step(&other.key.name, "it follows the new primary", follow.clone()));
    }
    if let Some(service) = &seen.around.read_write {
        let what = "the read-write service leads to the new primary: its endpoints";
        let command = format!(
            "kubectl -n {} edit endpointslice -l kubernetes.io/service-name={}",
            service.namespace, service.name
        );
        steps.push(step(&"the cluster".into(), what, command));
    }
    if let Some(primary) = primary {
        let what = "before it may come back: it must follow the new primary, read-only, and hold nothing that it has not";
        let position = if maria { "gtid_binlog_pos" } else { "gtid_executed" };
        steps.push(step(&primary.key.name, what, format!("SELECT @@GLOBAL.{position}, @@GLOBAL.read_only")));
    }
    steps
}

impl fmt::Display for FailoverSheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "FAILOVER  {}", self.case)?;
        writeln!(f, "\nEVIDENCE")?;
        for server in &self.servers {
            let silent =
                server.silent.as_ref().map_or(String::new(), |why| format!("; does not answer: {why}"));
            let unapplied = match server.unapplied {
                0 => String::new(),
                n => format!("; {n} fetched and not applied"),
            };
            let unfit = server.unfit.as_ref().filter(|_| server.silent.is_none());
            let unfit = unfit.map_or(String::new(), |why| format!("; must not be promoted: {why}"));
            writeln!(
                f,
                "  {}  {}  {}, position {}{unapplied}{silent}{unfit}",
                server.name, server.address, server.role, server.position
            )?;
        }
        writeln!(f, "\nWHICH ONE\n  {}", self.reason)?;
        if !self.unproven.is_empty() {
            writeln!(f, "\nNOT PROVEN")?;
            for line in &self.unproven {
                writeln!(f, "  - {line}")?;
            }
        }
        if !self.steps.is_empty() {
            writeln!(f, "\nBY HAND, IN THIS ORDER (wheelhouse runs none of it)")?;
            for (n, step) in self.steps.iter().enumerate() {
                writeln!(f, "  {}. {}: {}", n + 1, step.on, step.what)?;
                writeln!(f, "       {}", step.command)?;
            }
        }
        Ok(())
    }
}
