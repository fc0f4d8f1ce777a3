//! The Kubernetes Events of one tenant's namespace, while its screen is open.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::{
    clock::Clock,
    convert::{Events, Interner},
    probe::{Doubt, Link},
    source,
    subject::Subject,
};
use crate::{
    cluster::{Key, KubeEvent, Seen},
    wire::Wire,
};

/// Older ones are not shown: a namespace in trouble writes thousands.
const MOST: usize = 500;
const PACE: Duration = Duration::from_millis(200);

/// Follows the Events of a namespace. Each item is the whole list, newest first, at most 500; an error is one sentence,
/// after which the following goes on. Ends when the receiver is dropped.
pub fn tenant_events(wire: &Wire, namespace: &str) -> mpsc::Receiver<Result<Vec<KubeEvent>, String>> {
    let (tell, receiver) = mpsc::channel(4);
    let (seen, news) = mpsc::channel::<Seen<Key, KubeEvent>>(256);
    // There is no probe here: the link is held open in the state it begins with.
    let (link, heard) = watch::channel(Link::default());
    let subject = Subject {
        wire: wire.clone(),
        clock: Clock::default(),
        interner: Interner::default(),
        link: heard,
        doubt: Doubt::default(),
        namespace: Some(namespace.to_owned()),
        labels: "",
        fields: String::new(),
        reading: None,
        after: None,
    };
    tokio::spawn(async move {
        tokio::select! {
            () = source::follow::<Events, _>(subject, seen, |seen| seen) => {}
            () = gather(news, &tell) => {}
            () = tell.closed() => {}
        }
        drop(link);
    });
    receiver
}

async fn gather(
    mut news: mpsc::Receiver<Seen<Key, KubeEvent>>,
    tell: &mpsc::Sender<Result<Vec<KubeEvent>, String>>,
) {
    let mut events: BTreeMap<Key, KubeEvent> = BTreeMap::new();
    let (mut changed, mut next) = (false, Instant::now());
    loop {
        tokio::select! {
            seen = news.recv() => match seen {
                None => return,
                Some(Seen::All(all, _) | Seen::AllBut(all, _, _)) => {
                    events = all.into_iter().collect();
                    changed = true;
                }
                Some(Seen::Put(key, event)) => {
                    events.insert(key, event);
                    changed = true;
                }
                Some(Seen::Gone(key)) => changed |= events.remove(&key).is_some(),
                Some(Seen::Lost(_, why)) => {
                    if tell.send(Err(why.to_string())).await.is_err() {
                        return;
                    }
                }
                Some(Seen::Back(_)) => changed = true,
                Some(Seen::Unreadable(..) | Seen::Reading(_)) => {}
            },
            () = sleep_until(next), if changed => {}
        }
        if changed && Instant::now() >= next {
            let mut newest: Vec<_> = events.values().cloned().collect();
            newest.sort_by_key(|e| Reverse(e.at));
            newest.truncate(MOST);
            if tell.send(Ok(newest)).await.is_err() {
                return;
            }
            (changed, next) = (false, Instant::now() + PACE);
        }
    }
}
