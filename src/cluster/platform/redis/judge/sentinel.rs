//! What is said of one sentinel that watches the servers.

use super::{Set, View};
use crate::cluster::{LinkState, Trouble, platform::Judged, words::count};

impl<'a> Set<'a> {
    pub(super) fn sentinel(&self, view: &View<'a>, quorum_told: bool) -> Judged {
        let judged = |state, text: String| Judged::new(view.key, state, text);
        if let Some(why) = view.component.link.trouble() {
            let rule = match view.component.trouble {
                Some(Trouble::Denied) => "platform-redis-login",
                _ => "platform-redis-sentinel",
            };
            let text = format!("does not answer: {why}");
            return judged(LinkState::Warning, text).rule(rule).since(view.component.silent_since);
        }
        let Some(said) = view.said else {
            return judged(LinkState::Unknown, "has not been asked yet".into());
        };
        if !said.denied.is_empty() {
            let text = format!("does not let the user run {} (NOPERM)", said.denied.join(", "));
            let answer = "on it: `ACL SETUSER USER +sentinel|masters +sentinel|replicas +sentinel|ckquorum +sentinel|get-master-addr-by-name`";
            return judged(LinkState::Warning, text).rule("platform-redis-login").remedy(answer);
        }
        let Some(watched) = view.watched else {
            let answer = "set `set` of the servers to what the sentinels call their master";
            let text = "does not watch these servers".to_owned();
            return judged(LinkState::Warning, text).rule("platform-redis-sentinel").remedy(answer);
        };
        let judged = if let Some(why) = &watched.no_quorum {
            let lost = self.master().is_some_and(|master| master.component.link.trouble().is_some());
            let (state, then) = match lost {
                true => (LinkState::Broken, "the master does not answer, and nobody takes its place"),
                false => (LinkState::Warning, "if the master fails, nobody takes its place"),
            };
            let judged = judged(state, format!("says that no failover will happen ({why}): {then}"));
            let judged =
                judged.remedy("start the missing sentinels: more than half of all must reach each other");
            // What all of them say is one finding.
            if quorum_told { judged } else { judged.rule("platform-redis-quorum") }
        } else if let Some((chosen, n)) =
            self.chosen().filter(|(chosen, _)| chosen.address != watched.address)
        {
            let text = format!(
                "names {} the master, and {} {} {}",
                watched.address,
                count(n, "other"),
                if n == 1 { "names" } else { "name" },
                chosen.address
            );
            judged(LinkState::Warning, text).rule("platform-redis-sentinel")
        } else if watched.down {
            let text = format!("takes the master {} for down", watched.address);
            judged(LinkState::Warning, text).rule("platform-redis-sentinel")
        } else {
            judged(LinkState::Ok, format!("names {} the master", watched.address))
        };
        let told = |n: Option<u32>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
        let replicas = watched.replicas.iter().filter(|(_, up)| *up).count();
        judged.numbers(vec![
            ("master", watched.address.to_string()),
            ("quorum", told(watched.quorum)),
            ("other sentinels", told(watched.others)),
            ("replicas up", format!("{replicas} of {}", watched.replicas.len())),
        ])
    }
}
