//! What the threads of a member do: the schema change that blocks everybody, the writers that wait, and the session that
//! holds what an applier waits for. Seen only with the PROCESS right.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::Table;

/// What the threads of a member do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Threads {
    /// A schema change that runs: the one that has run longest.
    pub schema_change: Option<SchemaChange>,
    /// Sessions that wait for their commit to be certified: blocked by a schema change, flow control or a lost member.
    pub waiting_for_certification: u32,
    /// Sessions that wait for a lock on a table or for the global read lock.
    pub waiting_for_lock: u32,
    /// Seconds for which the longest of them has waited.
    pub longest_wait: u64,
    /// An applier waits for a lock that a local session holds: seconds.
    pub applier_blocked: Option<u64>,
    /// Appliers and writers wait for the global read lock (FLUSH TABLES WITH READ LOCK, a backup).
    pub global_lock: bool,
    /// Sessions that hold (or may hold) the lock the applier waits for, the likeliest first.
    pub holders: Vec<Session>,
    /// The holders are named by the server, not guessed from how long they are idle.
    pub holders_certain: bool,
}

/// A schema change that runs on a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SchemaChange {
    /// The statement, cut to 200 characters.
    pub statement: Arc<str>,
    /// How long it has run, in seconds.
    pub seconds: u64,
    /// How far it is, 0 to 1, where the server says.
    pub progress: Option<f64>,
    /// It is applied here for another member; otherwise a session here runs it.
    pub applied: bool,
}

/// A session of a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its id, for `KILL`.
    pub id: u64,
    /// `user@host`.
    pub who: Arc<str>,
    /// Seconds in its present state.
    pub seconds: u64,
}

const DDL: &[&str] = &["ALTER", "CREATE", "DROP", "TRUNCATE", "RENAME", "OPTIMIZE", "ANALYZE", "REPAIR"];

impl Threads {
    /// Reads a process list. `None` when it shows only the asking user's own threads, which is what the server gives
    /// without the PROCESS right: a Galera member always has system threads.
    pub fn from_rows(rows: &Table, holders: Option<&Table>) -> Option<Self> {
        let mut threads = Self::default();
        let (mut all, mut stuck) = (false, None);
        for line in rows.lines() {
            let applier = line.text("user") == Some("system user");
            all |= applier;
            let state = line.text("state").unwrap_or_default().to_ascii_lowercase();
            let info = line.text("info").unwrap_or_default();
            let seconds = line.number::<f64>("time").filter(|t| *t > 0.0).unwrap_or(0.0) as u64;
            if state.contains("certification") && !applier {
                threads.waiting_for_certification += 1;
                threads.longest_wait = threads.longest_wait.max(seconds);
            }
            let global = state.contains("backup lock") || state.contains("global read lock");
            let waits = global || state.contains("metadata lock") || state.contains("table level lock");
            threads.global_lock |= global;
            // Once an applier has carried out a schema change, it keeps that state's name while rows wait for a table.
            if applier && state.contains("execute in isolation") && !info.is_empty() && !is_ddl(info) {
                stuck = stuck.max(Some(seconds));
            }
            if waits && applier {
                threads.applier_blocked = Some(threads.applier_blocked.unwrap_or(0).max(seconds));
            } else if waits {
                threads.waiting_for_lock += 1;
                threads.longest_wait = threads.longest_wait.max(seconds);
            }
            if is_ddl(info) && threads.schema_change.as_ref().is_none_or(|c| c.seconds < seconds) {
                threads.schema_change = Some(SchemaChange {
                    statement: one_line(info).into(),
                    seconds,
                    progress: progress(
                        line.number("stage"),
                        line.number("max_stage"),
                        line.number("progress"),
                    ),
                    applied: applier,
                });
            }
        }
        // Behind a schema change they wait for that, and for no lock.
        if threads.schema_change.is_none() {
            threads.applier_blocked = threads.applier_blocked.max(stuck);
        }
        for line in holders.into_iter().flat_map(Table::lines) {
            threads.holders_certain |= line.text("lock_mode").is_some();
            let host = line.text("host").unwrap_or_default();
            threads.holders.push(Session {
                id: line.number("id").unwrap_or(0),
                who: format!("{}@{}", line.text("user").unwrap_or("?"), host).trim_end_matches('@').into(),
                seconds: line.number::<f64>("time").filter(|t| *t > 0.0).unwrap_or(0.0) as u64,
            });
        }
        all.then_some(threads)
    }
}

impl Threads {
    /// Who holds the lock an applier waits for: `held by session 12 (app@10.4.7.19, 30 s)`.
    pub fn holder(&self) -> String {
        let who: Vec<_> =
            self.holders.iter().take(3).map(|h| format!("{} ({}, {} s)", h.id, h.who, h.seconds)).collect();
        match (who.is_empty(), self.holders_certain) {
            (true, _) => "a session there holds it".to_owned(),
            (false, true) => format!("held by session {}", who.join(", ")),
            (false, false) => format!("likely held by idle session {}", who.join(", ")),
        }
    }

    /// What ends the wait of the applier of this member.
    pub fn release(&self, member: &str) -> String {
        match self.holders.first() {
            Some(session) if self.holders_certain => {
                format!("KILL {} on {member}, once its owner knows", session.id)
            }
            Some(session) => format!(
                "ask the owner of session {}, then KILL {0} on {member}; the plug-in METADATA_LOCK_INFO names the holder for certain",
                session.id
            ),
            None => format!("SHOW PROCESSLIST on {member}, and end the session that holds the lock"),
        }
    }
}

fn is_ddl(statement: &str) -> bool {
    let first = statement.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    DDL.iter().any(|word| first.eq_ignore_ascii_case(word))
}

/// Progress of all stages: the server's figure is of the present stage only.
fn progress(stage: Option<u32>, stages: Option<u32>, percent: Option<f64>) -> Option<f64> {
    let (stage, stages, percent) = (stage?, stages?, percent?);
    if stages == 0 || stage == 0 || !percent.is_finite() {
        return None;
    }
    Some(((f64::from(stage - 1) + percent / 100.0) / f64::from(stages)).clamp(0.0, 1.0))
}

fn one_line(statement: &str) -> String {
    let words: Vec<_> = statement.split_whitespace().collect();
    words.join(" ").chars().take(200).collect()
}
