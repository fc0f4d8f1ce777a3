//! Whether what a program sees from where it is may be told as what all see. Pure.
//!
//! What it lacks (a login, a right, a way to a network) is no word about what stands there: others may have it. So one that
//! is not let in somewhere looks for itself alone, and so does one that reaches nothing of a kind: whether that is down, or
//! cannot be seen from there, each then sees for itself. Where no name resolves, only that is not told.

use std::{borrow::Cow, sync::Arc};

use super::{Asked, Component, ComponentKind, Facts, Found, Spot, registry::Base};
use crate::cluster::{Freshness, Snapshot, Trouble};

impl Snapshot {
    /// Why this program may see less of the platform around than others do, in a sentence. It says nothing while another
    /// looks.
    pub fn unfit_to_tell(&self) -> Option<String> {
        let unread = self.sources_around().into_iter().find_map(|(name, freshness)| {
            let why = freshness.trouble().filter(|_| !freshness.is_absent())?;
            Some(format!("{name} cannot be read: {why}"))
        });
        let withheld = || {
            let mut all = self.platform.values();
            all.find_map(|one| Some(format!("{}: {}", one.name, withheld(one)?)))
        };
        let why = unread.or_else(withheld).or_else(|| self.unreached())?;
        Some(format!("others may see more than it does: {why}"))
    }

    /// What may be told as what all see: where no name of a host resolves, the resolver here may know less than others do.
    pub fn to_tell(&self) -> Cow<'_, Self> {
        let is_name = |spot: &Spot| spot.asked == Asked::Resolver;
        let mut names = self.looks.items.iter().filter(|(spot, _)| is_name(spot)).peekable();
        if names.peek().is_none() || names.any(|(_, looked)| matches!(looked.found, Found::Names(Ok(_)))) {
            return Cow::Borrowed(self);
        }
        let mut told = self.clone();
        let others = self.looks.items.iter().filter(|(spot, _)| !is_name(spot));
        told.looks.items = others.map(|(spot, looked)| (spot.clone(), looked.clone())).collect();
        Cow::Owned(told)
    }

    /// It is known which hosts and nodes are to be asked for.
    pub fn knows_whom_to_ask(&self) -> bool {
        self.sources_around().iter().all(|(_, freshness)| freshness.is_live() || freshness.is_absent())
    }

    /// What says whom to ask for what.
    fn sources_around(&self) -> Vec<(&'static str, &Freshness)> {
        let mut all = vec![("pods", &self.pods.freshness)];
        if self.around.looks() {
            all.extend([
                ("services", &self.services.freshness),
                ("ingresses", &self.ingresses.freshness),
                ("httproutes", &self.http_routes.freshness),
            ]);
        }
        if self.around.nodes {
            all.push(("nodes", &self.nodes.freshness));
        }
        all
    }

    /// Nothing of a kind can be reached.
    fn unreached(&self) -> Option<String> {
        let is_far = |one: &Component| matches!(one.trouble, Some(Trouble::Unreachable | Trouble::Refused));
        ComponentKind::ALL.into_iter().find_map(|kind| {
            let mut of_kind = self.platform.values().filter(|one| one.name.kind == kind).peekable();
            let why = of_kind.peek()?.link.trouble()?.to_owned();
            of_kind.all(|one| is_far(one)).then(|| format!("no {} is reached: {why}", kind.word()))
        })
    }
}

/// What a component does not let this program see, after its name.
fn withheld(one: &Component) -> Option<String> {
    if matches!(one.trouble, Some(Trouble::Denied | Trouble::Tls)) {
        return Some(one.link.trouble().unwrap_or("it is not let in").to_owned());
    }
    let status = one.status.as_deref()?;
    if let Some(why) = status.round().and_then(|round| round.trust.as_deref()) {
        return Some(format!("whom to trust is not known: {why}"));
    }
    let refused = |commands: &[Arc<str>]| {
        (!commands.is_empty()).then(|| format!("{} is refused", commands.join(" and ")))
    };
    match status {
        Facts::Redis(facts) => refused(&facts.denied),
        Facts::Sentinel(facts) => refused(&facts.denied),
        Facts::Replica(facts) if facts.channels.is_none() => {
            Some("what it replicates is refused: it takes the right SLAVE MONITOR".into())
        }
        Facts::Registry(facts) => match &facts.base {
            Base::Refuses(whose) => Some(format!("it refuses {whose}")),
            Base::NoLogin(why) | Base::Unasked(why) => Some(why.to_string()),
            Base::Open | Base::WantsLogin | Base::Fails(_) => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::cluster::{
        Observation, Seen,
        platform::{
            Around, ComponentKey, EdgeFacts, Looked, RegistryFacts, Reply, edge::Round, redis::RedisFacts,
        },
        sketch,
    };

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn seen(components: impl IntoIterator<Item = Component>) -> Snapshot {
        let mut seen = sketch("node w1\ntenant acme 1 on w1", NOW).expect("a sketch");
        for one in components {
            seen.observe(Observation::Platform(Seen::Put(one.name.clone(), one)));
        }
        seen
    }

    fn new(kind: ComponentKind, name: &str) -> Component {
        Component::new(ComponentKey::new(kind, name))
    }

    fn edge(name: &str, trouble: Option<Trouble>) -> Component {
        let read = new(ComponentKind::Edge, name).read(Facts::Edge(EdgeFacts::default()), None, NOW);
        trouble.map_or(read.clone(), |trouble| read.failed(trouble, "no route to host", NOW))
    }

    fn why(seen: &Snapshot) -> Option<String> {
        let why = seen.unfit_to_tell()?;
        Some(why.strip_prefix("others may see more than it does: ").expect("it begins so").to_owned())
    }

    #[test]
    fn who_is_not_let_in_may_see_less_than_others() {
        for trouble in [Trouble::Denied, Trouble::Tls] {
            let one = new(ComponentKind::StorageNode, "gluster-1").failed(trouble, "takes no key", NOW);
            assert_eq!(why(&seen([one])).as_deref(), Some("storage node gluster-1: takes no key"));
        }
        let read = |kind, facts| new(kind, "one").read(facts, None, NOW);
        let denied = RedisFacts { denied: vec!["INFO".into()], ..RedisFacts::default() };
        let base = |base| Facts::Registry(RegistryFacts { base, ..RegistryFacts::default() });
        let untrusting = Round { trust: Some("no such file".into()), ..Round::default() };
        for (one, expected) in [
            (read(ComponentKind::Redis, Facts::Redis(denied)), "Redis one: INFO is refused"),
            (
                read(ComponentKind::Registry, base(Base::Refuses("alice".into()))),
                "registry one: it refuses alice",
            ),
            (read(ComponentKind::Registry, base(Base::Unasked("no file".into()))), "registry one: no file"),
            (
                read(
                    ComponentKind::Edge,
                    Facts::Edge(EdgeFacts { round: untrusting, ..EdgeFacts::default() }),
                ),
                "edge one: whom to trust is not known: no such file",
            ),
        ] {
            assert_eq!(why(&seen([one])).as_deref(), Some(expected));
        }
        for well in [base(Base::Open), base(Base::WantsLogin), base(Base::Fails("answers 502".into()))] {
            assert_eq!(why(&seen([read(ComponentKind::Registry, well)])), None);
        }
    }

    #[test]
    fn who_reaches_nothing_of_a_kind_may_be_in_another_network() {
        let far = Some(Trouble::Unreachable);
        assert_eq!(why(&seen([edge("e1", far), edge("e2", None)])), None, "it is down: another answers");
        assert_eq!(why(&seen([edge("e1", Some(Trouble::Silent))])), None, "it takes the connection");
        let all = seen([edge("e1", far), edge("e2", Some(Trouble::Refused)), new(ComponentKind::Redis, "r")]);
        assert_eq!(why(&all).as_deref(), Some("no edge is reached: no route to host"));
    }

    #[test]
    fn where_no_name_resolves_that_is_not_told() {
        let told = |all: &[Found]| {
            let mut seen = seen([edge("e1", None)]);
            let deep = Found::Http(Reply::Silent);
            let all = all.iter().map(|found| (Asked::Resolver, found.clone())).chain([(Asked::Deep, deep)]);
            for (n, (asked, found)) in all.enumerate() {
                let spot = Spot { host: format!("h{n}").into(), asked };
                seen.observe(Observation::Look(Seen::Put(spot, Looked { since: NOW, found })));
            }
            assert_eq!(why(&seen), None);
            seen.to_tell().looks.len()
        };
        let unknown = || Found::Names(Err("no such host".into()));
        assert_eq!(told(&[unknown(), Found::Untold("no answer".into())]), 1);
        assert_eq!(told(&[unknown(), Found::Names(Ok(vec!["192.0.2.10".into()]))]), 3, "a resolver answers");
        assert_eq!(told(&[]), 1);
    }

    #[test]
    fn who_may_not_read_what_leads_to_tenants_may_know_fewer_hosts() {
        let mut seen = seen([edge("e1", None)]);
        seen.observe(Observation::Ingress(Seen::Lost(NOW, "needs list and watch on ingresses".into())));
        assert_eq!(why(&seen), None, "no host is looked at");
        seen.around = Arc::new(Around { floating: Some("192.0.2.10:443".into()), ..Around::default() });
        let expected = "ingresses cannot be read: needs list and watch on ingresses";
        assert_eq!(why(&seen).as_deref(), Some(expected));
        assert!(!seen.knows_whom_to_ask());
        seen.observe(Observation::Ingress(Seen::Lost(NOW, crate::cluster::NOT_INSTALLED.into())));
        assert_eq!(why(&seen), None);
    }
}
