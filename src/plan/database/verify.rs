//! Whether the database came out as planned.

use super::{
    DatabasePart,
    field::{self, Field},
};
use crate::cluster::Snapshot;

/// Whom each proxy sends its clients to, a line each, as [`DatabasePart::now`] has it of the moment of the plan.
pub fn seats(seen: &Snapshot) -> Vec<String> {
    let Some(field) = Field::of(seen) else { return Vec::new() };
    let line = |proxy: &std::sync::Arc<crate::cluster::Proxy>| match field
        .faces
        .iter()
        .find(|f| *f.name == proxy.name)
    {
        Some(face) => field::line(face.name, &face.seats),
        None => {
            let why = proxy.why().map_or(String::new(), |why| format!(": {why}"));
            format!("{}  does not answer{why}", proxy.name)
        }
    };
    seen.proxies.values().map(line).collect()
}

/// Compares the proxies with what the plan said of them. The sentence says what came out.
pub fn verify(part: &DatabasePart, after: &Snapshot) -> (bool, String) {
    let Some(field) = Field::of(after) else { return (false, "no database is configured any more".into()) };
    // One that did not answer when it was planned has come back as its disk has it.
    let planned = || field.faces.iter().filter(|face| !part.without.contains(face.name));
    let lines: Vec<_> = planned().map(|face| field::line(face.name, &face.seats)).collect();
    let behind: Vec<_> = planned().flat_map(|face| left_behind(face)).collect();
    let behind = if behind.is_empty() { String::new() } else { format!("; {}", behind.join("; ")) };
    let other: Vec<_> = lines.iter().filter(|line| !part.after.contains(line)).cloned().collect();
    let missing = part.after.len().saturating_sub(lines.len());
    if missing > 0 {
        return (false, format!("{missing} of {} proxies do not answer now", part.after.len()));
    }
    match other.is_empty() {
        true if lines.is_empty() => (true, "as planned".into()),
        true => (true, lines.join("; ") + &behind),
        false => (false, other.join("; ") + &behind),
    }
}

/// Sessions that still write to a member that is no longer the writer.
fn left_behind(face: &field::Face<'_>) -> Vec<String> {
    let writers: Vec<u32> = face.groups.iter().map(|g| g.writer).collect();
    let one = |seat: &&field::Seat| {
        let n = face.sessions(&seat.address, &writers);
        let (sessions, write) = if n == 1 { ("session", "writes") } else { ("sessions", "write") };
        format!("{n} {sessions} of {} still {write} to {} until they end", face.name, seat.label)
    };
    face.left_behind().iter().map(one).collect()
}
