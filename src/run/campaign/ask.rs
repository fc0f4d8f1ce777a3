//! What a cockpit wishes of a campaign that another one drives: a line more in its journal.

use std::{io::Write, os::unix::fs::OpenOptionsExt};

use super::{Asked, Campaign, Wish, journal, record};
use crate::{
    cluster::Snapshot,
    run::{Access, local, perform::Failure, session::connect},
};

/// Adds a wish to a campaign's journal. Whoever drives the campaign, now or later, answers it with an entry. The line is
/// added in place of the very version that was read: neither an entry nor another wish is lost.
///
/// # Errors
/// One sentence: the campaign is over, its journal is gone, or it cannot be written.
pub async fn ask(access: &Access, campaign: &Campaign, wish: Wish, seen: &Snapshot) -> Result<(), String> {
    let writer = connect(access, seen).await?;
    let asked = Asked { at: writer.clock.now(), by: access.who.operator.clone(), wish };
    if campaign.local {
        return beside(access, campaign, &asked);
    }
    let name = journal::name(&campaign.id);
    let mut tries = 0;
    loop {
        tries += 1;
        let found = writer.journal(&name).await.map_err(|f| f.text())?;
        let mut object = found.ok_or_else(|| format!("the journal {name} is gone"))?;
        let now = journal::of(&object).map_err(|e| format!("journal {name}: {e}"))?;
        if now.state.is_over() {
            return Err(format!("campaign {} is {}", now.short(), now.state.word()));
        }
        let data = object.data.get_or_insert_default();
        let line = record::wish(&asked);
        // The answer to the last try may have got lost.
        let lines = data.entry(journal::ASKED.into()).or_default();
        if lines.ends_with(&line) {
            return Ok(());
        }
        lines.push_str(&line);
        if data.values().map(String::len).sum::<usize>() > record::ROOM {
            return Err("its journal is full".into());
        }
        match writer.put_journal(&object).await {
            Ok(_) => return Ok(()),
            Err(Failure::Unreached(_)) if tries < 4 => {}
            Err(failure) if failure.is_conflict() && tries < 50 => {}
            Err(failure) => return Err(failure.text()),
        }
    }
}

/// Adds a wish to the file beside a journal on this machine.
fn beside(access: &Access, campaign: &Campaign, asked: &Asked) -> Result<(), String> {
    let wire = &access.wire;
    let path = local::path(&access.state_dir, local::CAMPAIGNS, wire.context(), wire.server(), &campaign.id);
    let path = path.with_extension(journal::ASKED);
    let added = || {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        file.write_all(record::wish(asked).as_bytes())
    };
    added().map_err(|e: std::io::Error| format!("{} cannot be written: {e}", path.display()))
}
