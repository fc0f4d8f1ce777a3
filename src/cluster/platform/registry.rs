//! The registry that images come from: whether it answers, and still has what runs. What runs goes on without it; a pod that
//! comes to a node without its image does not start.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Component, ComponentKey, ComponentKind, Facts, Judged, few, lost, of_kind};
use crate::cluster::{
    LinkState, Snapshot,
    clocks::Dated,
    endpoint::Trouble,
    words::{age, count},
};

/// It does not answer, or answers with an error.
pub(in crate::cluster) const DOWN: &str = "platform-registry-down";
/// It answers, and has nothing.
pub(in crate::cluster) const STORAGE: &str = "platform-registry-storage";
/// It refuses the login, or has none of nodes.
pub(in crate::cluster) const LOGIN: &str = "platform-registry-login";
/// It has an image that runs no more, or not all of it.
pub(in crate::cluster) const IMAGE: &str = "platform-registry-image";
/// A tag leads to something else than what runs under it.
pub(in crate::cluster) const MOVED: &str = "platform-tag-moved";

/// What was read of a registry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RegistryFacts {
    /// Where it is asked.
    pub at: Arc<str>,
    /// What the base of its API answers.
    pub base: Base,
    /// Since when it answers that.
    pub since: Option<Timestamp>,
    /// So many images that run come from it.
    pub running: u32,
    /// What it says of those that were asked for, by the image.
    pub images: Vec<ImageTold>,
}

/// What the base of the API of a registry answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Base {
    /// It lets us in.
    #[default]
    Open,
    /// It wants a login, and there is none: a proxy in front says so, whatever stands behind it.
    WantsLogin,
    /// It refuses a login: whose.
    Refuses(Arc<str>),
    /// Nodes have no login for it: why, in a sentence.
    NoLogin(Arc<str>),
    /// Something else, after its name: `answers 502`.
    Fails(Arc<str>),
    /// This machine cannot ask it, which says nothing of it: why, in a sentence.
    Unasked(Arc<str>),
}

/// What a registry says of an image that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageTold {
    /// The image.
    pub image: Arc<str>,
    /// Since when it says so.
    pub since: Timestamp,
    /// What it says.
    pub told: HasImage,
}

/// See there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HasImage {
    /// It has it, under this digest.
    Has(Option<Arc<str>>),
    /// It does not.
    Missing,
    /// A part is missing: which, and whether no platform is whole.
    Damaged(Arc<str>, bool),
    /// Pods run this digest, and the tag leads to that one now.
    Moved(Arc<str>, Arc<str>),
    /// Nodes cannot pull it with the login of its namespace: why, in a sentence.
    Barred(Arc<str>),
    /// It could not be told: why.
    Unknown(Arc<str>),
}

impl HasImage {
    /// It tells what the registry has.
    fn is_of_storage(&self) -> bool {
        !matches!(self, Self::Barred(_) | Self::Unknown(_))
    }
}

impl RegistryFacts {
    /// The component after they were read at `now`. A registry that did not answer, or was not asked, answered last when it
    /// did before.
    pub(crate) fn of(self, before: &Component, now: Timestamp) -> Component {
        let why = match &self.base {
            Base::Fails(why) | Base::Unasked(why) => why.clone(),
            Base::Open | Base::WantsLogin | Base::Refuses(_) | Base::NoLogin(_) => {
                return before.read(Facts::Registry(self), None, now);
            }
        };
        let failed = before.failed(Trouble::Other, &why, now);
        Component { status: Some(Arc::new(Facts::Registry(self))), ..failed }
    }
}

impl Dated for RegistryFacts {
    fn moved(mut self, by: SignedDuration) -> Self {
        self.images.iter_mut().for_each(|image| image.since = image.since.moved(by));
        Self { since: self.since.map(|since| since.moved(by)), ..self }
    }
}

/// Judges the registry.
pub(super) fn judge(seen: &Snapshot) -> Vec<Judged> {
    let mut all = Vec::new();
    for (key, component) in of_kind(seen, ComponentKind::Registry) {
        // What it failed with stands in what was read of it last.
        let Some(Facts::Registry(facts)) = component.status.as_deref() else {
            all.extend(lost(key, component));
            continue;
        };
        let begun = all.len();
        all.extend(said(key, facts));
        if let Some(first) = all.get_mut(begun) {
            first.numbers = numbers(facts, seen.at);
        }
    }
    all
}

fn numbers(facts: &RegistryFacts, now: Timestamp) -> Vec<(&'static str, String)> {
    let has =
        facts.images.iter().filter(|one| one.told.is_of_storage() && one.told != HasImage::Missing).count();
    let oldest = facts.images.iter().map(|one| one.since).min();
    let since = oldest.map(|since| ("since", age(now, since)));
    let all = [
        ("images", facts.running.to_string()),
        ("asked", facts.images.len().to_string()),
        ("has", has.to_string()),
    ];
    all.into_iter().chain(since).collect()
}

const PULL: &str = "a pod that comes to a node without its image does not start";

fn said(key: &ComponentKey, facts: &RegistryFacts) -> Vec<Judged> {
    let since = facts.since;
    let warning = |text: String| Judged::new(key, LinkState::Warning, text);
    match &facts.base {
        Base::Fails(why) => {
            let remedy = "look at its service, and at the proxy in front of it";
            return vec![warning(format!("{why}: {PULL}")).rule(DOWN).since(since).remedy(remedy)];
        }
        Base::Refuses(whose) => {
            let remedy = "correct the login; the same one is not shown again for an hour, since attempts lock accounts";
            return vec![warning(format!("refuses {whose}")).rule(LOGIN).since(since).remedy(remedy)];
        }
        Base::NoLogin(why) => {
            let remedy = "correct the pull secret: its key is the registry as images name it, with the port";
            return vec![warning(why.to_string()).rule(LOGIN).since(since).remedy(remedy)];
        }
        Base::WantsLogin => {
            let text = "wants a login, and none is configured: whether it has its images is not known";
            return vec![Judged::new(key, LinkState::Unknown, text)];
        }
        Base::Unasked(why) => {
            return vec![Judged::new(key, LinkState::Unknown, format!("is not asked: {why}"))];
        }
        Base::Open => {}
    }
    let missing: Vec<_> = facts.images.iter().filter(|one| one.told == HasImage::Missing).collect();
    let asked = facts.images.iter().filter(|one| one.told.is_of_storage()).count();
    let since = missing.iter().map(|one| one.since).max();
    if !missing.is_empty() && missing.len() == asked {
        // Of many a few may have been removed, one after another.
        let is_gone = asked >= facts.running as usize;
        let storage = if is_gone { "its storage is not there" } else { "its storage may not be there" };
        let text = match asked {
            1 => format!(
                "answers, and does not have {}, which runs: its storage may not be there; {PULL}",
                missing[0].image
            ),
            n => format!(
                "answers, and has none of the {n} images that run and were asked for: {storage}; {PULL}"
            ),
        };
        let remedy = "look whether its storage is mounted, and do not start a garbage collection";
        return vec![warning(text).rule(STORAGE).since(since).remedy(remedy)];
    }
    let mut all = Vec::new();
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|one| &*one.image).collect();
        let text = format!("does not have {} any more, and pods run it: {PULL}", few(&names));
        all.push(warning(text).rule(IMAGE).since(since).remedy("push it again, under the same tag"));
    }
    for one in &facts.images {
        let image = &one.image;
        match &one.told {
            HasImage::Damaged(part, true) => {
                let text = format!("has {image} without a part of it ({}): no node can pull it", short(part));
                all.push(warning(text).rule(IMAGE).since(Some(one.since)).remedy("push it again"));
            }
            HasImage::Damaged(part, false) => {
                let text = format!("has {image} without a part for one platform ({})", short(part));
                let said = Judged::new(key, LinkState::Notice, text).rule(IMAGE);
                all.push(said.since(Some(one.since)).remedy("push it again"));
            }
            HasImage::Moved(runs, now) => {
                let text = format!(
                    "leads the tag of {image} to {}, and pods run {}: a pod on a node without it runs another build",
                    short(now),
                    short(runs)
                );
                let remedy = "release with a tag that is not moved, or by digest";
                all.push(
                    Judged::new(key, LinkState::Notice, text)
                        .rule(MOVED)
                        .since(Some(one.since))
                        .remedy(remedy),
                );
            }
            HasImage::Has(_) | HasImage::Missing | HasImage::Barred(_) | HasImage::Unknown(_) => {}
        }
    }
    all.extend(barred(key, facts));
    if !all.is_empty() {
        return all;
    }
    let unknown = facts.images.iter().find_map(|one| match &one.told {
        HasImage::Unknown(why) => Some(why),
        _ => None,
    });
    vec![match (asked, unknown) {
        (0, Some(why)) => {
            Judged::new(key, LinkState::Unknown, format!("answers; of its images nothing is known: {why}"))
        }
        (0, None) => Judged::new(key, LinkState::Ok, "answers; no image that runs has been asked for"),
        (n, _) => {
            let of = count(facts.running.max(u32::try_from(n).unwrap_or(u32::MAX)), "image");
            Judged::new(key, LinkState::Ok, format!("has what was asked for: {n} of the {of} that run"))
        }
    }]
}

/// The logins that nodes cannot pull with, each once.
fn barred(key: &ComponentKey, facts: &RegistryFacts) -> Vec<Judged> {
    let mut by: BTreeMap<&str, Vec<&ImageTold>> = BTreeMap::new();
    for one in &facts.images {
        if let HasImage::Barred(why) = &one.told {
            by.entry(why).or_default().push(one);
        }
    }
    let told = |(why, of): (&str, Vec<&ImageTold>)| {
        let names: Vec<_> = of.iter().map(|one| &*one.image).collect();
        let text = format!("is closed to nodes for {}: {why}", few(&names));
        let since = of.iter().map(|one| one.since).min();
        let remedy = "correct the pull secret: user, password, and its key, the registry as images name it, with the port";
        Judged::new(key, LinkState::Warning, text).rule(LOGIN).since(since).remedy(remedy)
    };
    by.into_iter().map(told).collect()
}

/// A digest as people compare it.
fn short(digest: &str) -> &str {
    let end = digest.find(':').map_or(12, |colon| colon + 13);
    digest.get(..end).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Freshness;

    fn told(base: Base, images: &[(&str, HasImage)]) -> Vec<(LinkState, String, Option<&'static str>)> {
        let since: Timestamp = "2026-11-29T03:00:00Z".parse().expect("a time");
        let images = images.iter().map(|(image, told)| ImageTold {
            image: (*image).into(),
            since,
            told: told.clone(),
        });
        let facts = RegistryFacts {
            at: "registry.example".into(),
            base,
            since: None,
            running: 3,
            images: images.collect(),
        };
        let key = ComponentKey::new(ComponentKind::Registry, "registry.example");
        said(&key, &facts).into_iter().map(|said| (said.state, said.text, said.rule)).collect()
    }

    #[test]
    fn a_registry_that_lost_its_storage_is_told_from_one_that_lost_an_image() {
        let has = || HasImage::Has(Some("sha256:01".into()));
        let all = told(
            Base::Open,
            &[
                ("app:1", HasImage::Missing),
                ("app:2", HasImage::Missing),
                ("app:3", HasImage::Unknown("x".into())),
            ],
        );
        assert_eq!((all.len(), all[0].0, all[0].2), (1, LinkState::Warning, Some(STORAGE)));
        assert!(all[0].1.starts_with("answers, and has none of the 2 images that run"), "{}", all[0].1);
        assert!(all[0].1.contains("its storage may not be there"), "2 of 3 asked for: {}", all[0].1);
        let all = told(
            Base::Open,
            &[("app:1", HasImage::Missing), ("app:2", HasImage::Missing), ("app:3", HasImage::Missing)],
        );
        assert!(all[0].1.contains("its storage is not there"), "{}", all[0].1);
        let all = told(Base::Open, &[("app:1", has()), ("app:2", HasImage::Missing)]);
        assert_eq!((all.len(), all[0].2), (1, Some(IMAGE)));
        assert!(all[0].1.starts_with("does not have app:2 any more, and pods run it"), "{}", all[0].1);
        let all = told(Base::Open, &[("app:1", HasImage::Missing)]);
        assert!(
            all[0].1.contains("does not have app:1, which runs: its storage may not be there"),
            "{}",
            all[0].1
        );
        let all = told(Base::Open, &[("app:1", has()), ("app:2", has())]);
        assert_eq!(
            all,
            [(LinkState::Ok, "has what was asked for: 2 of the 3 images that run".to_owned(), None)]
        );
    }

    #[test]
    fn what_a_proxy_in_front_says_proves_nothing_of_the_registry() {
        // A 401 comes of the proxy, also with nobody behind it.
        let all = told(Base::WantsLogin, &[]);
        assert_eq!((all[0].0, all[0].2), (LinkState::Unknown, None));
        let all = told(Base::Fails("answers 502".into()), &[("app:1", HasImage::Has(None))]);
        assert_eq!((all[0].0, all[0].2), (LinkState::Warning, Some(DOWN)));
        let all = told(Base::Refuses("the login in the pull secret acme/registry".into()), &[]);
        assert_eq!(
            (all[0].1.as_str(), all[0].2),
            ("refuses the login in the pull secret acme/registry", Some(LOGIN))
        );
    }

    #[test]
    fn what_this_machine_cannot_ask_is_no_fault_of_the_registry() {
        let all = told(Base::Unasked("you may not get Secrets in acme".into()), &[]);
        let text = "is not asked: you may not get Secrets in acme".to_owned();
        assert_eq!(all, [(LinkState::Unknown, text, None)]);
    }

    #[test]
    fn a_login_of_one_namespace_that_is_no_good_is_told_beside_what_the_registry_has() {
        let why: Arc<str> = "the pull secret b/registry names none".into();
        let all = told(Base::Open, &[("app:1", HasImage::Has(None)), ("app:2", HasImage::Barred(why))]);
        let text = "is closed to nodes for app:2: the pull secret b/registry names none".to_owned();
        assert_eq!(all, [(LinkState::Warning, text, Some(LOGIN))]);
    }

    #[test]
    fn a_registry_that_fails_has_answered_last_when_it_did() {
        let key = ComponentKey::new(ComponentKind::Registry, "registry.example");
        let (early, late): (Timestamp, Timestamp) = (
            "2026-11-29T03:00:00Z".parse().expect("a time"),
            "2026-11-29T04:00:00Z".parse().expect("a time"),
        );
        let of = |base| RegistryFacts { base, ..RegistryFacts::default() };
        let open = of(Base::Open).of(&Component::new(key), early);
        for base in [Base::Fails("answers 502".into()), Base::Unasked("no such file".into())] {
            let then = of(base.clone()).of(&open, late);
            assert!(matches!(then.link, Freshness::Stale { since, .. } if since == early), "{base:?}");
            let Some(Facts::Registry(facts)) = then.status.as_deref() else { panic!("its facts") };
            assert_eq!(facts.base, base);
        }
        let refuses = of(Base::Refuses("the configured login".into())).of(&open, late);
        assert_eq!(refuses.link, Freshness::Live { since: late });
    }

    #[test]
    fn a_part_that_is_gone_and_a_tag_that_was_moved_are_told_by_the_image() {
        let part: Arc<str> = "sha256:0123456789abcdef".into();
        let all = told(
            Base::Open,
            &[
                ("app:1", HasImage::Damaged(part.clone(), true)),
                ("app:2", HasImage::Damaged(part.clone(), false)),
                ("app:3", HasImage::Moved(part.clone(), "sha256:fedcba9876543210".into())),
            ],
        );
        let states: Vec<_> = all.iter().map(|one| (one.0, one.2)).collect();
        assert_eq!(
            states,
            [
                (LinkState::Warning, Some(IMAGE)),
                (LinkState::Notice, Some(IMAGE)),
                (LinkState::Notice, Some(MOVED))
            ]
        );
        assert_eq!(all[0].1, "has app:1 without a part of it (sha256:0123456789ab): no node can pull it");
        assert!(
            all[2].1.contains("to sha256:fedcba987654, and pods run sha256:0123456789ab"),
            "{}",
            all[2].1
        );
    }
}
