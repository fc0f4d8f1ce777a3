//! Which cockpit looks at the platform around for all that look at the same: one `coordination.k8s.io` Lease, taken as
//! client-go takes it (`office`), and the ConfigMap beside it, in which the holder tells what it sees (`board`).
//!
//! Nothing is ever made for it but these two objects: where their namespace is not there, nobody is elected. What is seen
//! is none of its business: a program that says that it does not see all gives the Lease back.

mod board;
mod office;

use std::{sync::Arc, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{
    Who,
    perform::{Clock, Writer},
};
use crate::{
    cluster::platform::{Duty, Telling},
    wire::Wire,
};
use board::Board;
use office::{LONGEST, Office};

/// Rights that are missing are looked for again after this.
const RIGHTS_AGAIN: Duration = Duration::from_secs(60);
/// How long giving the Lease back may take.
const GIVES_BACK_WITHIN: Duration = Duration::from_secs(1);
/// What tells these objects from journals, which are followed by another label.
const LABELS: [(&str, &str); 2] =
    [("app.kubernetes.io/part-of", "wheelhouse"), ("app.kubernetes.io/component", "platform")];

/// Who stands for election, and for what.
#[derive(Clone)]
pub struct Candidate {
    /// The cluster.
    pub wire: Wire,
    /// Who stands.
    pub who: Who,
    /// The namespace of the journals.
    pub namespace: String,
    /// The name of the Lease, and of the ConfigMap beside it.
    pub name: String,
    /// How long the Lease is good without being renewed, in seconds.
    pub seconds: u32,
    /// Why it never stands, in a sentence: nothing is written then.
    pub never: Option<String>,
}

impl Candidate {
    /// Stands for election until it is told to stop, or `stop` is dropped; then gives the Lease back, whatever was under
    /// way. `duty` says what is to be done; `tell` has what the holder tells the others.
    pub async fn stand(
        self,
        duty: watch::Sender<Duty>,
        tell: watch::Receiver<Telling>,
        stop: oneshot::Receiver<()>,
    ) {
        let mut office = None;
        tokio::select! {
            never = self.go_on(&mut office, &duty, tell) => match never {},
            _ = stop => {}
        }
        leave(&mut office).await;
    }

    /// Why this program never holds the Lease, in a sentence; `None`: it may.
    ///
    /// # Errors
    /// The API server cannot be asked: one sentence.
    pub async fn barred(&self) -> Result<Option<String>, String> {
        if self.never.is_some() {
            return Ok(self.never.clone());
        }
        self.office().await?.barred(&self.namespace).await.map_err(|failure| failure.text())
    }

    async fn office(&self) -> Result<Office, String> {
        let client = self.wire.writer().await?;
        let writer = Writer::new(client, self.never.is_some(), &self.namespace, Clock::ahead(0));
        let identity = format!("{} {}", self.who.operator, self.who.session);
        let seconds = i32::try_from(self.seconds).unwrap_or(LONGEST).clamp(1, LONGEST);
        Ok(Office::new(writer, &self.name, identity, seconds))
    }

    /// A renewal comes so long after the last, and no request may take longer.
    fn third(&self) -> Duration {
        Duration::from_secs(self.seconds.max(1).into()) / 3
    }

    /// Round after round. Whenever it is dropped, `office` knows whether the Lease may be held.
    async fn go_on(
        &self,
        office: &mut Option<Office>,
        duty: &watch::Sender<Duty>,
        mut tell: watch::Receiver<Telling>,
    ) -> std::convert::Infallible {
        let mut board = Board::new(&self.name, self.third());
        loop {
            let unfit = unfit(&tell);
            let told = tell.borrow().clone();
            if let Telling::Unfit { last, .. } = told
                && let Some(held) = office.as_ref().filter(|office| office.is_good())
            {
                board.end(held.writer.clone(), last).await;
            }
            let now = self.round(office, unfit.as_ref()).await;
            let elected = office.as_mut().filter(|_| now == Duty::Look);
            let renewed = elected.as_ref().is_some_and(|office| office.is_renewed());
            let pause = match now {
                Duty::Look if renewed => self.third(),
                Duty::Look => self.third() / 4,
                // Those that wait come at different times.
                Duty::Read(_) | Duty::Undecided => jittered(self.third()),
                Duty::Barred(_) => jittered(RIGHTS_AGAIN),
            };
            says(duty, now);
            let next = Instant::now() + pause;
            let Some(elected) = elected else {
                board.clear();
                until(next, &unfit, &mut tell).await;
                continue;
            };
            if !renewed {
                board.wait();
            }
            if let Err(why) = hold(elected, renewed, &mut board, &mut tell, next).await {
                leave(office).await;
                says(duty, Duty::Barred(why.into()));
                board.clear();
                until(Instant::now() + jittered(RIGHTS_AGAIN), &unfit, &mut tell).await;
            }
        }
    }

    /// One round: what this program has to do after it.
    async fn round(&self, office: &mut Option<Office>, unfit: Option<&Arc<str>>) -> Duty {
        if let Some(why) = self.never.as_deref() {
            return Duty::Barred(why.into());
        }
        if let Some(why) = unfit {
            leave(office).await;
            return Duty::Barred(why.clone());
        }
        let undecided = |why: String| {
            tracing::debug!(why, "it is not known who looks around");
            Duty::Undecided
        };
        let stands = match office {
            Some(office) => office,
            None => {
                let asked = async {
                    let office = self.office().await?;
                    let barred = office.barred(&self.namespace).await.map_err(|failure| failure.text())?;
                    Ok::<_, String>((office, barred))
                };
                // A login may take any time, and then come five requests.
                match timeout(self.third() * 4, asked).await {
                    Ok(Ok((allowed, None))) => office.insert(allowed),
                    Ok(Ok((_, Some(why)))) => return Duty::Barred(why.into()),
                    Ok(Err(why)) => return undecided(why),
                    Err(_) => return undecided("no answer in time".into()),
                }
            }
        };
        match timeout(self.third(), stands.round()).await {
            Ok(Ok(now)) => now,
            Ok(Err(failure)) if failure.is_forbidden() => {
                *office = None;
                Duty::Barred(failure.text().into())
            }
            Ok(Err(failure)) => undecided(failure.text()),
            Err(_) if stands.is_good() => Duty::Look,
            Err(_) => undecided("no answer in time".into()),
        }
    }
}

/// Writes what is told, until the Lease is to be renewed. Never over what somebody else has told since: where it is not known
/// what stands there, the Lease is renewed first.
///
/// # Errors
/// Why nothing can be told, in a sentence.
async fn hold(
    office: &Office,
    mut renewed: bool,
    board: &mut Board,
    tell: &mut watch::Receiver<Telling>,
    next: Instant,
) -> Result<(), String> {
    loop {
        board.is_of_use()?;
        let due = board.due();
        if due.is_some_and(|due| due <= Instant::now()) {
            if !office.is_good() || !(renewed || board.is_known()) {
                return Ok(());
            }
            board.write(office.writer.clone());
            renewed = false;
            continue;
        }
        tokio::select! {
            () = sleep_until([due, board.gives_up()].into_iter().flatten().fold(next, Instant::min)) => {
                if Instant::now() >= next {
                    return Ok(());
                }
            }
            changed = tell.changed() => match tell.borrow_and_update().clone() {
                Telling::Sight(told) if changed.is_ok() => board.tell(told),
                Telling::Nothing if changed.is_ok() => {}
                _ => return Ok(()),
            },
            written = board.written() => written?,
        }
    }
}

/// Waits for the next round. One that is fit again, or no more, does not wait.
async fn until(next: Instant, before: &Option<Arc<str>>, tell: &mut watch::Receiver<Telling>) {
    loop {
        tokio::select! {
            () = sleep_until(next) => return,
            changed = tell.changed() => {
                tell.mark_unchanged();
                match (unfit(tell) == *before, changed) {
                    (false, _) => return,
                    (true, Ok(())) => {}
                    (true, Err(_)) => return sleep_until(next).await,
                }
            }
        }
    }
}

/// Why this program must not look for others; one in which nobody looks any more must not either.
fn unfit(tell: &watch::Receiver<Telling>) -> Option<Arc<str>> {
    match tell.has_changed() {
        Ok(_) => tell.borrow().unfit().cloned(),
        Err(_) => Some("it looks around no more".into()),
    }
}

async fn leave(office: &mut Option<Office>) {
    if let Some(held) = office {
        let _ = timeout(GIVES_BACK_WITHIN, held.give_back()).await;
    }
    *office = None;
}

fn says(duty: &watch::Sender<Duty>, now: Duty) {
    duty.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
}

/// A little longer, so that cockpits that wait for the same do not go on together.
fn jittered(span: Duration) -> Duration {
    span.mul_f64(rand::random_range(1.0..1.5))
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(LABELS.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests;
