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
    let lines: Vec<_> = field.faces.iter().map(|face| field::line(face.name, &face.seats)).collect();
    let other: Vec<_> = lines.iter().filter(|line| !part.after.contains(line)).cloned().collect();
    let missing = part.after.len().saturating_sub(lines.len());
    if missing > 0 {
        return (false, format!("{missing} of {} proxies do not answer now", part.after.len()));
    }
    match other.is_empty() {
        true if lines.is_empty() => (true, "as planned".into()),
        true => (true, lines.join("; ")),
        false => (false, other.join("; ")),
    }
}
