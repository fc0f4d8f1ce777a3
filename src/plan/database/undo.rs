//! Taking back what a run did to the database, after a look at where everything stands by now.

use std::{collections::BTreeSet, sync::Arc};

use super::{DatabaseAct, Draft, routing::Edit};
use crate::{
    cluster::{ProxyName, ServerRow},
    plan::{About, Change, Desync, Servers, Verdict},
};

/// What a run did to one backend in one proxy, first to last.
struct Chain<'a> {
    proxy: &'a ProxyName,
    address: &'a Arc<str>,
    start: &'a [ServerRow],
    /// All it may have left behind.
    left: Vec<&'a [ServerRow]>,
}

fn chains(changes: &[(About, Change)]) -> Vec<Chain<'_>> {
    let mut chains: Vec<Chain<'_>> = Vec::new();
    for (_, change) in changes {
        let Change::Servers(Servers { proxy, address, from, to }) = change else { continue };
        match chains.iter_mut().find(|c| c.proxy == proxy && c.address == address) {
            Some(chain) => chain.left.extend([&from[..], &to[..]]),
            None => chains.push(Chain { proxy, address, start: from, left: vec![from, to] }),
        }
    }
    chains
}

/// What taking back amounts to.
pub(super) fn act(changes: &[(About, Change)]) -> DatabaseAct {
    for (_, change) in changes {
        match change.clone() {
            Change::Desync(Desync { member, to: true, .. }) => return DatabaseAct::Resync { member },
            Change::Desync(Desync { member, to: false, .. }) => return DatabaseAct::Desync { member },
            Change::Servers(_) => break,
            _ => {}
        }
    }
    let chains = chains(changes);
    let changed = chains.iter().find(|c| c.left.iter().any(|left| *left != c.start));
    let Some(chain) = changed.or(chains.first()) else { return DatabaseAct::Save { proxy: None } };
    let came = chain.left.last().is_none_or(|last| last.is_empty());
    let member = chain.address.as_ref().into();
    match chain.start.first() {
        None => DatabaseAct::RemoveServer { address: chain.address.clone() },
        Some(_) if came => DatabaseAct::BringBack { member, like: None },
        Some(row) => DatabaseAct::Weight { member, weight: row.weight },
    }
}

pub(super) fn work_out(draft: &mut Draft<'_>, run: &str, changes: &[(About, Change)]) {
    let desync = changes.iter().find_map(|(_, c)| match c {
        Change::Desync(Desync { member, from, .. }) => Some((member.clone(), *from)),
        _ => None,
    });
    if let Some((member, back)) = desync {
        draft.set_desync(&member, back);
        return;
    }
    let chains = chains(changes);
    if chains.is_empty() {
        let saved = changes.iter().any(|(_, c)| matches!(c, Change::Save(_)));
        let text = match saved {
            true => format!(
                "run {run} wrote to disks: what was there before is not kept, it cannot be taken back"
            ),
            false => format!("run {run} changed nothing"),
        };
        let verdict = if saved { Verdict::Refuse } else { Verdict::Ok };
        draft.check("undo", verdict, text);
        return;
    }
    let mut wanted = Vec::new();
    for chain in &chains {
        let Chain { proxy, address, start, left } = chain;
        let Some(proxied) = draft.routing.proxied.iter().find(|f| f.name == *proxy) else {
            let others = chains.iter().any(|c| draft.routing.proxied.iter().any(|f| f.name == c.proxy));
            let verdict = if others { Verdict::Warn } else { Verdict::Refuse };
            let text = format!(
                "{proxy} does not answer, or is not configured any more: nothing is taken back there, it comes back with what is on its disk"
            );
            draft.check("undo", verdict, text);
            continue;
        };
        let now = proxied.status.servers_of(address);
        let name = draft.routing.member(address).map_or(&**address, |row| &row.label).to_owned();
        if ServerRow::alike(&now, start) {
            let text = format!(
                "{proxy}: {name} runs as before; its memory is taken from there, in case the run was cut off amid its edit"
            );
            let known = draft.leftovers.iter().any(|edit| edit.proxy == **proxy);
            draft.check("undo", Verdict::Ok, text);
            if !known {
                let edit =
                    Edit { proxy: (*proxy).clone(), address: (*address).clone(), from: now.clone(), to: now };
                draft.leftovers.push(edit);
            }
        } else if left.iter().any(|l| ServerRow::alike(&now, l)) {
            wanted.push(((*proxy).clone(), (*address).clone(), start.to_vec()));
        } else {
            let is = super::standing::words(&now);
            let text = format!(
                "{proxy}: {name} is {is}, which run {run} did not leave: somebody has changed it since"
            );
            draft.check("undo", Verdict::Refuse, text);
        }
    }
    let addresses: BTreeSet<_> = wanted.iter().map(|(_, address, _)| address.clone()).collect();
    for address in addresses {
        let of: Vec<_> =
            wanted.iter().filter(|w| w.1 == address).map(|w| (w.0.clone(), w.2.clone())).collect();
        draft.towards(&address, of);
    }
    draft.guard_servers();
    draft.undo = match draft.phases.is_empty() {
        true => "nothing: no server is changed".into(),
        false => format!("the same as run {run} did, again"),
    };
}
