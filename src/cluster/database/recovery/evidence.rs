//! What is known of every member: by its own word while it answers, by what is on its disk when it does not.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::Serialize;

use crate::cluster::{
    Component, LocalState, MemberName, Status, ZERO_UUID,
    database::{Database, Row, State},
};

/// A place in a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Which history.
    pub uuid: Arc<str>,
    /// The last transaction it has.
    pub seqno: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uuid, self.seqno)
    }
}

/// What a member that is down left on its disk: `grastate.dat`, and what `--wsrep-recover` printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Saved {
    /// The history, from either.
    pub uuid: Option<Arc<str>>,
    /// `seqno` of `grastate.dat`; `None` for -1.
    pub stopped_at: Option<u64>,
    /// The position `--wsrep-recover` printed; of several the last.
    pub recovered: Option<Position>,
    /// Other positions that stand before it, with no start of the server between them: what was fed may be of two members.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<u64>,
    /// `safe_to_bootstrap`.
    pub safe_to_bootstrap: Option<bool>,
    /// `--wsrep-recover` printed a zero UUID: there is nothing to go on from. A known UUID with -1 only says that the position
    /// is not known.
    pub empty: bool,
    /// `grastate.dat` has a zero UUID: it was expelled, or a copy broke off. `--wsrep-recover` still prints what InnoDB
    /// last wrote, and that is no place to go on from (measured on an expelled member).
    pub distrusted: bool,
}

/// A line of an error log that shows that the server served.
const SERVED: &str = "ready for connections";

impl Saved {
    /// Reads pasted or file-fed text: `grastate.dat`, lines of an error log with `Recovered position`, a bare
    /// `uuid:seqno`, or several of them. The error says what was looked for.
    ///
    /// # Errors
    /// It is neither a `grastate.dat` nor a recovered position: one sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut saved = Self::default();
        let (mut found, mut outlived) = (false, false);
        let (mut has_uuid, mut has_seqno) = (false, false);
        let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
        for line in text.lines() {
            let line = line.trim().trim_start_matches('\u{feff}');
            if line.starts_with('#') {
                continue;
            }
            if line.contains(SERVED) && saved.recovered.take().is_some() {
                saved.others.clear();
                (outlived, found) = (true, saved.stopped_at.is_some() || saved.distrusted);
                continue;
            }
            let recovered =
                line.split_once("Recovered position").map(|(_, rest)| rest.trim_start_matches([':', ' ']));
            if let Some(position) = recovered.or_else(|| line.contains(':').then_some(line))
                && let Some((uuid, seqno)) = position_of(position)
            {
                (found, outlived) = (true, false);
                if saved
                    .uuid
                    .as_deref()
                    .is_some_and(|known| known != uuid && known != ZERO_UUID && uuid != ZERO_UUID)
                {
                    return Err(format!(
                        "two histories in the evidence of one member: {} and {uuid}",
                        saved.uuid.unwrap_or_default()
                    ));
                }
                saved.empty = uuid == ZERO_UUID;
                saved.uuid = Some(uuid.into());
                let before = saved.recovered.take().map(|before| before.seqno);
                saved.others.extend(before.filter(|before| i64::try_from(*before) != Ok(seqno)));
                saved.recovered = u64::try_from(seqno)
                    .ok()
                    .filter(|_| uuid != ZERO_UUID)
                    .map(|seqno| Position { uuid: uuid.into(), seqno });
                continue;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            let (name, value) = (name.trim(), value.trim());
            if ["uuid", "seqno", "safe_to_bootstrap"].contains(&name)
                && let Some(before) = fields.insert(name, value)
                && before != value
            {
                return Err(format!(
                    "`{name}` is there twice, as {before} and as {value}: grastate.dat is damaged, or two files are one. Read it again"
                ));
            }
            match name {
                "uuid" if !is_uuid(value) => {
                    return Err(format!(
                        "`{line}` is no uuid of 32 hexadecimal digits such as 6f1d0c9e-8dd9-11f1-adc3-d6cba1d4622c: grastate.dat is damaged, or was edited"
                    ));
                }
                "uuid" => {
                    (found, has_uuid) = (true, true);
                    let other = saved.recovered.as_ref().filter(|r| *r.uuid != *value && value != ZERO_UUID);
                    if let Some(other) = other {
                        return Err(format!(
                            "two histories in the evidence of one member: {} and {value}",
                            other.uuid
                        ));
                    }
                    saved.distrusted = value == ZERO_UUID;
                    if saved.recovered.is_none() {
                        saved.uuid = Some(value.into());
                        saved.empty = value == ZERO_UUID;
                    }
                }
                "seqno" => match value.parse::<i64>() {
                    Ok(seqno) => {
                        (found, has_seqno) = (true, true);
                        saved.stopped_at = u64::try_from(seqno).ok();
                    }
                    Err(_) => return Err(format!("`{line}`: a seqno is a number")),
                },
                "safe_to_bootstrap" => match value {
                    "0" | "1" => saved.safe_to_bootstrap = Some(value == "1"),
                    _ => return Err(format!("`{line}`: safe_to_bootstrap is 0 or 1")),
                },
                _ => {}
            }
        }
        if has_uuid != has_seqno && saved.recovered.is_none() && !outlived {
            let (has, lacks) = if has_uuid { ("uuid", "seqno") } else { ("seqno", "uuid") };
            return Err(format!("grastate.dat has a {has} and no {lacks}: it is cut off. Read it again"));
        }
        if let (Some(stopped), Some(recovered)) = (saved.stopped_at, &saved.recovered)
            && stopped != recovered.seqno
        {
            return Err(format!(
                "grastate.dat says that it stopped at seqno {stopped}, and the recovered position is {}: one of the two is of another time. Read both again",
                recovered.seqno
            ));
        }
        match found {
            true => Ok(saved),
            false if outlived => Err(
                "the server has served since its last `Recovered position`: that is no longer where it stands. Run --wsrep-recover again, and feed what it prints".into(),
            ),
            false => Err(
                "neither a grastate.dat (uuid:, seqno:) nor a line with `Recovered position: UUID:SEQNO` was found".into(),
            ),
        }
    }

    /// The position it can go on from.
    pub fn position(&self) -> Option<Position> {
        if self.distrusted {
            return None;
        }
        self.recovered.clone().or_else(|| {
            let uuid = self.uuid.clone().filter(|uuid| **uuid != *ZERO_UUID)?;
            Some(Position { uuid, seqno: self.stopped_at? })
        })
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// `uuid:seqno`, at the start of the text.
fn position_of(text: &str) -> Option<(&str, i64)> {
    let (uuid, rest) = text.trim().split_once(':')?;
    let seqno = rest.split([' ', ',', '\t']).next()?;
    Some((uuid, seqno.parse().ok()?)).filter(|(uuid, _)| is_uuid(uuid))
}

/// What is known of one member.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Its address as configured.
    pub name: MemberName,
    /// What people call it.
    pub label: Arc<str>,
    /// It answers now; otherwise why not.
    pub answers: Result<(), Arc<str>>,
    /// Its state, in words.
    pub state: String,
    /// It answers and is in a primary component.
    pub primary: bool,
    /// It answers and was expelled, or formed a cluster without a position.
    pub unfit: bool,
    /// It answers, is connected to a group without a quorum, and has its whole state: it can be made the primary
    /// component. One whose provider is not connected refuses that (error 1210, measured).
    pub waits: bool,
    /// It cannot be asked, and may run for all that: a login that is refused, TLS, no connection left.
    pub may_run: bool,
    /// What it said last of its place in history; from before it fell silent when it does not answer.
    pub said: Option<Position>,
    /// What it left on its disk.
    pub saved: Option<Saved>,
    /// Where its data lie, when it was ever seen.
    pub datadir: Option<Arc<str>>,
}

impl Evidence {
    /// The evidence of all members of a database, with what was fed for those that are down.
    pub fn of(database: &Database, saved: &[(MemberName, Saved)]) -> Vec<Self> {
        let of = |row: &Row| {
            let status = row.member.status.as_deref();
            let now = row.now();
            // What a joiner tells is not what it holds: its state is still to come.
            let whole = |s: &&Status| s.local_state != LocalState::Joining;
            let said = status.filter(whole).and_then(|s| {
                let uuid = [&s.local_uuid, &s.cluster_uuid]
                    .into_iter()
                    .find(|u| is_uuid(u) && ***u != *ZERO_UUID)?;
                Some(Position { uuid: uuid.clone(), seqno: s.last_committed? })
            });
            Self {
                name: row.name.clone(),
                label: row.label.clone(),
                answers: match (now, row.member.why()) {
                    (Some(_), _) => Ok(()),
                    (None, why) => Err(why.unwrap_or("not asked yet").into()),
                },
                state: row.state.word(),
                primary: now.is_some_and(|s| s.component == Component::Primary && !s.is_reformed()),
                unfit: now.is_some_and(|s| s.local_state == LocalState::Inconsistent || s.is_reformed()),
                waits: now.is_some_and(|s| {
                    s.component == Component::NonPrimary
                        && !matches!(s.local_state, LocalState::Joining | LocalState::Inconsistent)
                }),
                may_run: row.state == State::Unreadable,
                said,
                saved: saved.iter().find(|(name, _)| *name == row.name).map(|(_, saved)| saved.clone()),
                datadir: status.map(|s| s.datadir.clone()).filter(|d| !d.is_empty()),
            }
        };
        database.members.iter().map(of).collect()
    }

    /// The position that counts: of a member that answers its own word, of one that is down what its disk says. What it
    /// said before it fell silent is only a lower bound, and does not count.
    pub(super) fn position(&self) -> Option<Position> {
        match (&self.answers, self.unfit) {
            (_, true) => None,
            (Ok(()), _) => self.said.clone(),
            (Err(_), _) => self.saved.as_ref()?.position(),
        }
    }

    /// Its disk says that it has nothing to go on from.
    pub(super) fn is_empty(&self) -> bool {
        self.unfit || self.answers.is_err() && self.saved.as_ref().is_some_and(|s| s.empty || s.distrusted)
    }

    /// Where it stands is not known.
    pub(super) fn is_unknown(&self) -> bool {
        self.may_run || self.position().is_none() && !self.is_empty()
    }

    /// What it once said of itself, where nothing was read of its disk that says what became of it.
    pub(super) fn once_had(&self) -> Option<Position> {
        let read = self.saved.as_ref().is_some_and(|s| s.recovered.is_some() || s.empty || s.distrusted);
        self.said.clone().filter(|_| self.answers.is_err() && !read)
    }

    /// As much as it certainly had, so far as is known.
    pub(super) fn at_least(&self) -> Option<Position> {
        self.position().into_iter().chain(self.once_had()).max_by_key(|p| p.seqno)
    }

    /// What was fed of it is less than what it said itself before it fell silent.
    pub(super) fn falls_short(&self) -> Option<(Position, Position)> {
        let (said, fed) = (self.said.clone()?, self.position()?);
        (self.answers.is_err() && said.uuid == fed.uuid && fed.seqno < said.seqno).then_some((said, fed))
    }

    /// The last of its component, by its `grastate.dat`.
    pub(super) fn left_last(&self) -> bool {
        let safe = |s: &Saved| s.safe_to_bootstrap == Some(true) && !s.distrusted;
        self.answers.is_err() && self.saved.as_ref().is_some_and(safe)
    }
}
