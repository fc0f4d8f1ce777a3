//! What one cockpit has seen of the platform around, as text for the others. Pure.
//!
//! JSON, so that a person can read it and no version has to know the order of fields; what hosts have in common is written
//! once. All moments are of the API server's clock. What is read is outside input: bounded, of a known format, and no text
//! of it disturbs a terminal.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use imbl::Vector;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Asked, Component, ComponentKey, Facts, Found, Gauge, Looked, Spot};
use crate::cluster::{
    Freshness, Look, Observation, Seen, Snapshot, Trouble, clocks::Dated, freshness, words::disturbs,
};

/// The format that is written, and the only one that is read. Raised when facts are told otherwise.
const FORMAT: u32 = 1;
/// Readings of a component that are told, the newest.
const READINGS: usize = 60;
/// Components and looks that are read at most.
const COMPONENTS: usize = 5_000;
const LOOKS: usize = 100_000;
/// Addresses of a name, or names of a certificate, that are read at most: many looks may have found the same.
const NAMES: usize = 250;
/// Bytes of one text that are read at most.
const TEXT: usize = 4_096;

/// What somebody has seen of the platform around.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// How its operator signs.
    pub who: Arc<str>,
    /// Tells the program from all others.
    pub session: Arc<str>,
    /// When it was told, by the API server's clock.
    pub at: Timestamp,
    components: Vec<(ComponentKey, Component)>,
    looks: Vec<(Spot, Looked)>,
}

/// How it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    who: Arc<str>,
    session: Arc<str>,
    at: Timestamp,
    /// So many bytes were too many to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    too_large: Option<u64>,
    components: Vec<ToldComponent>,
    /// Each thing that was found, once.
    found: Vec<Found>,
    /// Of each host.
    looks: Vec<(Arc<str>, Vec<LookTold>)>,
}

/// Who was asked, since when it is so, and which of the things that were found.
type LookTold = (Asked, Timestamp, usize);

/// What is known of the platform around, dated by this machine's clock: whoever goes over to looking begins with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// When that was known.
    pub at: Timestamp,
    /// Each component.
    pub components: BTreeMap<ComponentKey, Component>,
    /// What was found of hosts.
    pub looks: BTreeMap<Spot, Looked>,
}

/// A component.
#[derive(Serialize, Deserialize)]
struct ToldComponent {
    name: ComponentKey,
    #[serde(with = "freshness::Plain")]
    link: Freshness,
    trouble: Option<Trouble>,
    silent_since: Option<Timestamp>,
    status: Option<Arc<Facts>>,
    /// Milliseconds before it was told, and the number.
    readings: Vec<(i64, f64)>,
}

/// What tells how it is to be read.
#[derive(Deserialize)]
struct Marks {
    format: u32,
    #[serde(default)]
    ended: Option<Ended>,
}

/// That somebody tells no more what is around.
#[derive(Serialize, Deserialize)]
struct Ended {
    who: Arc<str>,
    why: Arc<str>,
}

impl Sight {
    /// What a snapshot shows of the platform, as text: by whom, from which program, and at which moment of the API server's
    /// clock it is told.
    pub fn text(seen: &Snapshot, who: &str, session: &str, at: Timestamp) -> String {
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut written = Written { components: told(seen, at), ..Written::empty(who, session, at) };
        for (Spot { host, asked }, looked) in &seen.looks.items {
            let key = json(&looked.found);
            let index = *known.entry(key).or_insert_with(|| {
                written.found.push(looked.found.clone());
                written.found.len() - 1
            });
            let look = (asked.clone(), looked.since, index);
            match written.looks.last_mut().filter(|(last, _)| last == host) {
                Some((_, looks)) => looks.push(look),
                None => written.looks.push((host.clone(), vec![look])),
            }
        }
        json(&written)
    }

    /// The same where it takes more than can be told: so many bytes.
    pub fn too_large(bytes: u64, who: &str, session: &str, at: Timestamp) -> String {
        json(&Written { too_large: Some(bytes), ..Written::empty(who, session, at) })
    }

    /// That one tells no more what it sees, and why, in a sentence: what it told before is not to be used any more.
    pub fn ended(who: &str, why: &str) -> String {
        json(&serde_json::json!({ "format": FORMAT, "ended": Ended { who: who.into(), why: why.into() } }))
    }

    /// Reads what somebody has written.
    ///
    /// # Errors
    /// Why it cannot be used, in one sentence: it is damaged, of another version, or says that it was too much or that it
    /// has ended.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = harmless(text);
        let damaged = |what: String| format!("what another cockpit tells is damaged: {what}");
        let unread = |why: serde_json::Error| damaged(why.to_string());
        let Marks { format, ended } = serde_json::from_str(&text).map_err(unread)?;
        if format != FORMAT {
            let which = if format > FORMAT { "a newer" } else { "an older" };
            return Err(format!(
                "another cockpit looks with {which} wheelhouse (format {format}, here {FORMAT})"
            ));
        }
        if let Some(Ended { who, why }) = ended {
            return Err(format!("{who} looks for others no more: {why}"));
        }
        let written: Written = serde_json::from_str(&text).map_err(unread)?;
        if let Some(bytes) = written.too_large {
            return Err(format!("what is seen takes {} KiB: too much to tell each other", bytes / 1024));
        }
        let looks: usize = written.looks.iter().map(|(_, looks)| looks.len()).sum();
        let long = |found: &Found| match found {
            Found::Names(Ok(all)) => all.len() > NAMES,
            Found::Tls(Look::Presented(certificate, _)) => certificate.names.len() > NAMES,
            Found::Names(Err(_)) | Found::Tls(_) | Found::Http(_) | Found::Untold(_) => false,
        };
        if written.components.len() > COMPONENTS || looks > LOOKS || written.found.iter().any(long) {
            return Err(damaged("it tells more than there can be".into()));
        }
        let mut all = Vec::with_capacity(looks);
        for (host, looks) in written.looks {
            for (asked, since, index) in looks {
                let found = written.found.get(index).ok_or_else(|| damaged("a look is missing".into()))?;
                let found = found.clone();
                all.push((Spot { host: host.clone(), asked }, Looked { since, found }));
            }
        }
        let components = written.components.into_iter().map(|one| one.read(written.at)).collect();
        Ok(Self { who: written.who, session: written.session, at: written.at, components, looks: all })
    }

    /// What was seen, dated by this machine's clock, which is that much behind the API server's.
    pub fn known(self, skew: SignedDuration) -> Known {
        let here = SignedDuration::ZERO.saturating_sub(skew);
        Known {
            at: self.at.moved(here),
            components: self.components.into_iter().map(|(key, one)| (key, one.moved(here))).collect(),
            looks: self.looks.into_iter().map(|(spot, one)| (spot, one.moved(here))).collect(),
        }
    }
}

impl Known {
    /// What is observed by it: it is put in the place of all that was known.
    pub fn observed(self) -> [Observation; 2] {
        let components = self.components.into_iter().collect();
        let looks = self.looks.into_iter().collect();
        [Observation::Platform(Seen::All(components, self.at)), Observation::Look(Seen::All(looks, self.at))]
    }
}

impl Written {
    fn empty(who: &str, session: &str, at: Timestamp) -> Self {
        Self {
            format: FORMAT,
            who: who.into(),
            session: session.into(),
            at,
            too_large: None,
            components: Vec::new(),
            found: Vec::new(),
            looks: Vec::new(),
        }
    }
}

impl ToldComponent {
    fn read(self, at: Timestamp) -> (ComponentKey, Component) {
        let gauge = |(before, value): (i64, f64)| Gauge {
            at: at.moved(SignedDuration::from_millis(before.saturating_neg())),
            value,
        };
        let history: Vector<Gauge> = self.readings.into_iter().take(READINGS).map(gauge).collect();
        let component = Component {
            name: self.name.clone(),
            link: self.link,
            trouble: self.trouble,
            silent_since: self.silent_since,
            status: self.status,
            history,
        };
        (self.name, component)
    }
}

impl Snapshot {
    /// What is shown of the platform around.
    pub fn known_around(&self) -> Known {
        let here = SignedDuration::ZERO.saturating_sub(self.api.skew());
        let components = self.platform.items.iter();
        let looks = self.looks.items.iter();
        Known {
            at: self.at.moved(here),
            components: components
                .map(|(key, one)| (key.clone(), Component::clone(one).moved(here)))
                .collect(),
            looks: looks.map(|(spot, one)| (spot.clone(), Looked::clone(one).moved(here))).collect(),
        }
    }
}

fn told(seen: &Snapshot, at: Timestamp) -> Vec<ToldComponent> {
    let one = |(name, component): (&ComponentKey, &Arc<Component>)| ToldComponent {
        name: name.clone(),
        link: component.link.clone(),
        trouble: component.trouble,
        silent_since: component.silent_since,
        status: component.status.clone(),
        readings: {
            let skipped = component.history.len().saturating_sub(READINGS);
            let readings = component.history.iter().skip(skipped).filter(|one| one.value.is_finite());
            readings.map(|one| (at.as_millisecond() - one.at.as_millisecond(), one.value)).collect()
        },
    };
    seen.platform.items.iter().map(one).collect()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts, numbers and moments")
}

/// JSON of others whose texts disturb no terminal and are not long.
fn harmless(json: &str) -> String {
    let mut all = String::with_capacity(json.len());
    let mut chars = json.chars();
    // How many bytes of a text have come, within one.
    let mut within: Option<usize> = None;
    while let Some(c) = chars.next() {
        let Some(length) = &mut within else {
            within = (c == '"').then_some(0);
            all.push(c);
            continue;
        };
        *length += c.len_utf8();
        let full = *length > TEXT;
        match c {
            '"' => {
                within = None;
                all.push(c);
            }
            '\\' => {
                let escaped = match chars.next() {
                    Some('u') => {
                        let digits: String = chars.by_ref().take(4).collect();
                        let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                        code.map_or_else(
                            || " ".to_owned(),
                            |c| if disturbs(c) { " ".into() } else { c.into() },
                        )
                    }
                    Some(same @ ('"' | '\\' | '/')) => format!("\\{same}"),
                    _ => " ".to_owned(),
                };
                // A mark that was written as a number may be one that ends a text.
                let escaped =
                    if escaped == "\"" || escaped == "\\" { format!("\\{escaped}") } else { escaped };
                if !full {
                    all.push_str(&escaped);
                }
            }
            _ if full => {}
            c if disturbs(c) => all.push(' '),
            c => all.push(c),
        }
    }
    all
}

#[cfg(test)]
mod tests;
