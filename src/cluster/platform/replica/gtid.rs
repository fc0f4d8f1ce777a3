//! Positions of replication: the GTIDs of MariaDB (`domain-server-sequence`) and the sets of MySQL (`uuid:1-5:7`).

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Domains;

/// A position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gtids {
    /// Of MariaDB: by domain the server that wrote last, and its sequence number.
    pub domains: Domains,
    /// Of MySQL: by server the ranges of its transactions, both ends included.
    pub sets: BTreeMap<Arc<str>, Vec<(u64, u64)>>,
}

impl Gtids {
    /// The position in this text. What is not understood is left out.
    pub fn read(text: &str) -> Self {
        let mut all = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once(':') {
                Some((uuid, ranges)) => {
                    let range = |range: &str| match range.split_once('-') {
                        Some((from, to)) => Some((from.trim().parse().ok()?, to.trim().parse().ok()?)),
                        None => range.trim().parse().ok().map(|one: u64| (one, one)),
                    };
                    // A tag of MySQL 8.3 is a word among the ranges, and part of the name.
                    let mut name = uuid.trim().to_ascii_lowercase();
                    for part in ranges.split(':') {
                        match range(part) {
                            Some(found) => {
                                all.sets.entry(Arc::from(name.as_str())).or_default().push(found);
                            }
                            None => name = format!("{}:{}", uuid.trim().to_ascii_lowercase(), part.trim()),
                        }
                    }
                }
                None => {
                    let numbers: Vec<u64> = part.split('-').filter_map(|n| n.trim().parse().ok()).collect();
                    if let [domain, server, sequence] = numbers[..] {
                        all.domains.insert(domain, (server, sequence));
                    }
                }
            }
        }
        all
    }

    /// Nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty() && self.sets.is_empty()
    }

    /// Both positions together.
    pub(super) fn with(mut self, other: &Self) -> Self {
        for (domain, at) in &other.domains {
            let known = self.domains.entry(*domain).or_insert(*at);
            if known.1 < at.1 {
                *known = *at;
            }
        }
        for (uuid, ranges) in &other.sets {
            self.sets.entry(uuid.clone()).or_default().extend(ranges);
        }
        self
    }

    /// How many transactions of this another position does not have yet. Of MariaDB only sequence numbers compare.
    pub fn beyond(&self, other: &Self) -> u64 {
        let of_domain = |(domain, (_, sequence)): (&u64, &(u64, u64))| {
            sequence.saturating_sub(other.domains.get(domain).map_or(0, |(_, at)| *at))
        };
        let domains: u64 = self.domains.iter().map(of_domain).fold(0, u64::saturating_add);
        self.sets
            .iter()
            .map(|(uuid, ranges)| missing(ranges, other.sets.get(uuid)))
            .fold(domains, u64::saturating_add)
    }

    /// Transactions that a server with this position wrote itself and its primary does not have: as text, and how many
    /// are certain. `applied` is what it has applied of others, `own` and `source` are the ids of the two servers.
    pub(super) fn errant(&self, applied: &Self, primary: (&Self, &Self), source: Option<u64>) -> Vec<String> {
        let (written, by_primary_applied) = primary;
        let mut all = Vec::new();
        for (domain, (server, sequence)) in &self.domains {
            let at = Some(&(*server, *sequence));
            let replicated = applied.domains.get(domain) == at;
            let of_primary = Some(*server) == source;
            let there = written.domains.get(domain) == at || by_primary_applied.domains.get(domain) == at;
            if !replicated && !of_primary && !there {
                all.push(format!("{domain}-{server}-{sequence}"));
            }
        }
        all
    }

    /// The same for the sets of MySQL: what stands under other names than the primary's, and is not there.
    pub(super) fn errant_sets(&self, primary: &Self, primary_uuid: Option<&str>) -> Vec<String> {
        let foreign = |(uuid, _): &(&Arc<str>, &Vec<(u64, u64)>)| {
            primary_uuid.is_some_and(|own| uuid.split(':').next() != Some(&own.to_ascii_lowercase()[..]))
        };
        let beyond = self.sets.iter().filter(foreign).filter_map(|(uuid, ranges)| {
            let n = missing(ranges, primary.sets.get(uuid));
            (n > 0).then(|| format!("{n} of {uuid}"))
        });
        beyond.collect()
    }
}

/// How many numbers of these ranges are in none of those.
fn missing(ranges: &[(u64, u64)], others: Option<&Vec<(u64, u64)>>) -> u64 {
    let mut others: Vec<_> = others.into_iter().flatten().copied().filter(|(a, b)| a <= b).collect();
    others.sort_unstable();
    let mut count = 0_u64;
    for (from, to) in ranges.iter().copied().filter(|(a, b)| a <= b) {
        let mut next = from;
        for (a, b) in &others {
            if *b < next || *a > to {
                continue;
            }
            count = count.saturating_add(a.saturating_sub(next));
            next = b.saturating_add(1);
        }
        if next <= to {
            count = count.saturating_add((to - next).saturating_add(1));
        }
    }
    count
}

impl fmt::Display for Gtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domains = self.domains.iter().map(|(d, (server, n))| format!("{d}-{server}-{n}"));
        let sets = self.sets.iter().map(|(uuid, ranges)| {
            let ranges =
                ranges.iter().map(|(a, b)| if a == b { format!(":{a}") } else { format!(":{a}-{b}") });
            format!("{uuid}{}", ranges.collect::<String>())
        });
        let all: Vec<_> = domains.chain(sets).collect();
        f.write_str(&if all.is_empty() { "none".to_owned() } else { all.join(",") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_both_kinds_are_read_written_and_compared() {
        let maria = Gtids::read("0-1-23,1-2-5");
        assert_eq!(maria.to_string(), "0-1-23,1-2-5");
        assert_eq!(maria.beyond(&Gtids::read("0-1-20,1-2-5")), 3);
        assert_eq!(maria.beyond(&Gtids::read("")), 28);
        let mysql = Gtids::read(
            "3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5:7,\n4e11fa47-71ca-11e1-9e33-c80aa9429562:1-3",
        );
        assert_eq!(
            mysql.to_string(),
            "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7,4e11fa47-71ca-11e1-9e33-c80aa9429562:1-3"
        );
        assert_eq!(mysql.beyond(&Gtids::read("3e11fa47-71ca-11e1-9e33-c80aa9429562:2-4")), 3 + 3);
        // What is not a position is none, and no range is endless.
        for odd in [
            "x",
            "0-1",
            "0-1-x",
            "a:9-1",
            ":",
            "a:",
            "a:1-18446744073709551615",
            "-",
            ",,",
            "0-0-18446744073709551615",
        ] {
            let _ = Gtids::read(odd).beyond(&Gtids::read("a:1-18446744073709551615"));
            let _ = Gtids::read("a:0-18446744073709551615").beyond(&Gtids::read(odd));
        }
    }

    #[test]
    fn a_tag_is_part_of_the_name() {
        let tagged = Gtids::read("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:backup:1-2");
        assert_eq!(tagged.sets.len(), 2);
        assert_eq!(tagged.beyond(&Gtids::read("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5")), 2);
    }
}
