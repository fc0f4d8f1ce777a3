//! Whole lists: the pages of a kind that is followed, and the kinds that can only be polled (measurements).

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{sync::mpsc, time::sleep};

use super::{
    convert::{Interner, Kind, Unreadable},
    probe,
    read::{self, Fault},
    subject::Subject,
};
use crate::{cluster::Seen, wire};

/// What is not installed, or not allowed, does not come within seconds.
const ABSENT_RETRY: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default)]
    metadata: PageMeta,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PageMeta {
    pub resource_version: Option<String>,
    pub r#continue: Option<String>,
}

/// Takes the objects of a list's reply in, and gives its metadata.
pub(super) fn page<K: Kind>(
    bytes: &[u8],
    interner: &mut Interner,
    all: &mut Vec<(K::Key, K::Value)>,
    odd: &mut Vec<Unreadable>,
) -> Result<PageMeta, Fault> {
    let page: Page<'_> = serde_json::from_slice(bytes).map_err(|e| {
        Fault::transport(format!("the list of {} is not understood: {e}", K::RESOURCE.plural))
    })?;
    for item in page.items.unwrap_or_default() {
        match K::read(item.get(), interner) {
            Ok(object) => all.push((object.key, object.value)),
            Err(unreadable) => odd.push(unreadable),
        }
    }
    Ok(page.metadata)
}

/// Polls a kind that cannot be watched (measurements), until nobody listens any more.
pub(super) async fn poll<K: Kind, T: Send + 'static>(
    subject: Subject,
    every: Duration,
    tell: mpsc::Sender<T>,
    wrap: fn(Seen<K::Key, K::Value>) -> T,
) {
    let mut interner = Interner::default();
    let path = K::RESOURCE.path(subject.namespace.as_deref());
    let mut lost: Option<Arc<str>> = None;
    loop {
        let (mut all, mut odd) = (Vec::new(), Vec::new());
        let outcome = read::get(&subject.wire, &path, wire::READ_WITHIN)
            .await
            .and_then(|(_, bytes)| page::<K>(&bytes, &mut interner, &mut all, &mut odd));
        let now = subject.clock.now();
        let (seen, delay) = match outcome {
            Ok(_) => {
                lost = None;
                let odd = odd.into_iter().map(|u| (K::key(&u.namespace, &u.name), u.why.into())).collect();
                (Some(Seen::AllBut(all, odd, now)), every)
            }
            Err(fault) => {
                let group = K::RESOURCE.group;
                let why: Arc<str> = match fault.code {
                    404 => format!("{group} is not installed").into(),
                    503 => format!("{group} is not installed or does not answer").into(),
                    403 => {
                        let scope = match subject.namespace.as_ref().filter(|_| K::RESOURCE.namespaced) {
                            Some(namespace) => format!("in namespace {namespace}"),
                            None => "at cluster scope".to_owned(),
                        };
                        format!("needs list on {} {scope}", K::RESOURCE.rule()).into()
                    }
                    _ => fault.why.into(),
                };
                let news = lost.as_ref() != Some(&why);
                lost = Some(why.clone());
                (
                    news.then_some(Seen::Lost(now, why)),
                    if fault.code == 0 { every } else { every.max(ABSENT_RETRY) },
                )
            }
        };
        if let Some(seen) = seen
            && tell.send(wrap(seen)).await.is_err()
        {
            return;
        }
        let mut link = subject.link.clone();
        let mut due = std::pin::pin!(sleep(delay));
        loop {
            if let Some(why) = probe::down(&mut link)
                && lost.is_none()
            {
                lost = Some(why.clone());
                if tell.send(wrap(Seen::Lost(subject.clock.now(), why))).await.is_err() {
                    return;
                }
            }
            let mut risen = link.clone();
            tokio::select! {
                () = &mut due => break,
                () = probe::up(&mut risen) => break,
                changed = link.changed(), if lost.is_none() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tell.closed() => return,
            }
        }
    }
}
