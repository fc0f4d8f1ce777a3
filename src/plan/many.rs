//! The same done to many tenants, before anybody has agreed to it: who it is done to, who is left out and why.
//!
//! Each tenant is planned again when its turn comes; this is what is shown before, on what is seen now.

use serde::{Deserialize, Serialize};

use super::{Check, Confirmation, Intent, Migration, Plan, Release, Verdict, plan};
use crate::cluster::{Snapshot, TenantName, image_tag};

/// What refuses a plan for now, and is waited for when the tenant's turn comes.
const PASSING: &[&str] = &["lease", "ready", "rollout", "freshness", BUSY];
/// What refuses the plan of every tenant alike, and is waited for however long it lasts.
const BUSY: &str = "database";

/// What is done to each of many tenants.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Their databases are migrated, as this one.
    Migrate(Migration),
    /// An image is rolled out, as to this one.
    Release(Release),
    /// Their pods are replaced by new ones of the same template.
    Restart,
}

impl Deed {
    /// It done to one tenant.
    pub fn to(&self, tenant: &TenantName) -> Intent {
        match self {
            Self::Migrate(migration) => {
                Intent::Migrate { migration: Migration { tenant: tenant.clone(), ..migration.clone() } }
            }
            Self::Release(release) => {
                Intent::Release { release: Release { tenant: tenant.clone(), ..release.clone() } }
            }
            Self::Restart => Intent::Restart { tenant: tenant.clone() },
        }
    }

    /// It in a few words: `migrate 3 tenants with 2.5.0`.
    pub fn words(&self, tenants: usize) -> String {
        let of = |n: usize| if n == 1 { "1 tenant".to_owned() } else { format!("{n} tenants") };
        match self {
            Self::Migrate(Migration { image: Some(image), .. }) => {
                format!("migrate {} with {}", of(tenants), tag(image))
            }
            Self::Migrate(_) => format!("migrate {}", of(tenants)),
            Self::Release(release) => format!("release {} to {}", tag(&release.image), of(tenants)),
            Self::Restart => format!("restart {}", of(tenants)),
        }
    }
}

/// The tag alone, of a tag or a whole reference.
fn tag(image: &str) -> &str {
    if image.contains(['/', ':', '@']) { image_tag(image) } else { image }
}

/// A tenant it is done to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Which.
    pub tenant: TenantName,
    /// Replicas it asks for.
    pub replicas: u32,
    /// The tag of its image now.
    pub image: String,
    /// What is to be thought of before, the gravest.
    pub warning: Option<String>,
    /// What it would wait for if it were its turn now.
    pub waits: Option<String>,
}

/// A tenant that is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Which.
    pub tenant: TenantName,
    /// The rule that refuses it, for scripts; `nothing`: nothing is to be done.
    pub rule: String,
    /// Why, as one sentence.
    pub why: String,
}

/// A warning that several tenants share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shared {
    /// The rule, for scripts.
    pub rule: String,
    /// Of so many tenants.
    pub tenants: usize,
    /// Of the first of them.
    pub text: String,
    /// It wants something typed.
    pub grave: bool,
}

/// The same for many tenants.
#[derive(Clone, Debug, PartialEq)]
pub struct Many {
    /// In a few words.
    pub goal: String,
    /// What is done, in order.
    pub items: Vec<Intent>,
    /// To whom, in the same order.
    pub rows: Vec<Row>,
    /// Who is left out.
    pub left: Vec<LeftOut>,
    /// What is to be thought of before.
    pub warnings: Vec<Shared>,
    /// What it would wait for if it began now.
    pub waits: Option<String>,
    /// Plans that stand for all of them in a rehearsal.
    pub samples: Vec<Plan>,
    /// What an operator must do to agree.
    pub confirmation: Confirmation,
}

/// Seconds that a migration beside others waits right before its Job: another one's schema change is running then.
pub const BESIDE_OTHERS: u32 = 900;

/// Rights, admission and quotas differ from one namespace to the next: so many are asked before, and each again at its
/// turn.
const SAMPLES: usize = 6;

/// What a deed comes to on what is seen.
pub fn many(seen: &Snapshot, deed: &Deed, tenants: &[TenantName]) -> Many {
    let items = tenants.iter().map(|tenant| deed.to(tenant)).collect();
    let mut made = given(seen, String::new(), items);
    made.goal = deed.words(made.items.len());
    made
}

/// The same of items that are given, for a goal in a few words.
pub fn given(seen: &Snapshot, goal: String, items: Vec<Intent>) -> Many {
    let mut many = Many {
        goal,
        items: Vec::new(),
        rows: Vec::new(),
        left: Vec::new(),
        warnings: Vec::new(),
        waits: None,
        samples: Vec::new(),
        confirmation: Confirmation::Yes,
    };
    let mut typed = Vec::new();
    for intent in items {
        let made = plan(seen, &intent);
        let Some(tenant) = whose(&intent).cloned() else { continue };
        let refusals: Vec<_> = made.refusals().collect();
        let lasting = refusals.iter().find(|check| !passes(seen, check));
        if let Some(first) = lasting {
            let rule = first.rule.clone();
            let why = refusals.iter().filter(|c| !passes(seen, c)).map(|c| c.text.as_str());
            many.left.push(LeftOut { tenant, rule, why: why.collect::<Vec<_>>().join("; ") });
            continue;
        }
        if refusals.is_empty() && made.steps.is_empty() {
            let says = made.all_checks().last().map_or("nothing is to be done", |check| &check.text);
            many.left.push(LeftOut { tenant, rule: "nothing".into(), why: says.to_owned() });
            continue;
        }
        if let Confirmation::Type(text) = made.confirmation() {
            typed.push(text);
        }
        many.row(seen, tenant, &made, &refusals);
        many.items.push(intent);
        if refusals.is_empty() && many.samples.len() < SAMPLES {
            many.samples.push(made);
        }
    }
    // How many of them are grave changes with the load from one look to the next: what is typed does not.
    many.confirmation = match (typed.pop(), many.items.len()) {
        (None, _) => Confirmation::Yes,
        (Some(text), 1) => Confirmation::Type(text),
        (Some(_), n) => Confirmation::Type(format!("{n} tenants")),
    };
    many
}

/// The tenant an item is about.
fn whose(intent: &Intent) -> Option<&TenantName> {
    match intent {
        Intent::Migrate { migration } => Some(&migration.tenant),
        Intent::Release { release } => Some(&release.tenant),
        Intent::Restart { tenant } => Some(tenant),
        _ => None,
    }
}

/// What refuses it passes by itself. A database of which no member is seen never does.
fn passes(seen: &Snapshot, check: &Check) -> bool {
    PASSING.contains(&&*check.rule) && !(check.rule == BUSY && seen.galera.is_empty())
}

impl Many {
    /// Takes in a tenant that it is done to.
    fn row(&mut self, seen: &Snapshot, tenant: TenantName, made: &Plan, refusals: &[&Check]) {
        let found = seen.tenants.get(&tenant);
        let warns = made.all_checks().filter(|check| check.verdict == Verdict::Warn);
        let mut warns: Vec<_> = warns.collect();
        warns.sort_by_key(|check| !check.grave);
        for check in &warns {
            match self.warnings.iter_mut().find(|w| w.rule == check.rule && w.grave == check.grave) {
                Some(shared) => shared.tenants += 1,
                None => self.warnings.push(Shared {
                    rule: check.rule.clone(),
                    tenants: 1,
                    text: check.text.clone(),
                    grave: check.grave,
                }),
            }
        }
        self.warnings.sort_by_key(|w| !w.grave);
        let waits = refusals.first().map(|check| check.text.clone());
        if self.waits.is_none() {
            let busy = refusals.iter().find(|check| check.rule == BUSY);
            self.waits = busy.map(|check| check.text.clone());
        }
        self.rows.push(Row {
            replicas: found.map_or(0, |tenant| tenant.desired()),
            image: found
                .map(|tenant| tenant.workload.image_tag(&seen.tenancy.container).to_owned())
                .unwrap_or_default(),
            warning: warns.first().map(|check| check.text.clone()),
            waits,
            tenant,
        });
    }

    /// The same to look at: another look is wanted where it is not.
    pub fn is_like(&self, other: &Self) -> bool {
        let rules = |many: &Self| many.warnings.iter().map(|w| (w.rule.clone(), w.grave)).collect::<Vec<_>>();
        self.items == other.items
            && self.left == other.left
            && self.confirmation == other.confirmation
            && rules(self) == rules(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cluster::sketch, plan::Migrations};

    const CALM: &str = "\
        node w1\nnode w2\nnode w3\ntenant acme 3 on w1 w2 w3 used=100Mi\ntenant globex 2 on w1 w3 used=200Mi\n\
        tenant initech 0 on\n";

    fn seen() -> Snapshot {
        sketch(CALM, "2026-11-29T09:00:00Z".parse().expect("a time")).expect("a sketch")
    }

    #[test]
    fn who_cannot_be_migrated_is_left_out_with_the_reason() {
        let seen = seen();
        let names: Vec<_> = seen.tenants.keys().cloned().collect();
        let deed = Deed::Migrate(Migrations::default().of("x".into()));
        let made = many(&seen, &deed, &names);
        assert_eq!((made.items.len(), made.left.len()), (2, 1), "{:?}", made.left);
        assert_eq!((made.left[0].tenant.as_str(), &*made.left[0].rule), ("initech", "tenant"));
        assert!(made.left[0].why.contains("parked"), "{:?}", made.left);
        assert_eq!(made.goal, "migrate 2 tenants");
        assert_eq!(made.rows.iter().map(|r| r.tenant.as_str()).collect::<Vec<_>>(), ["acme", "globex"]);
        assert!(made.is_like(&many(&seen, &deed, &names)));
        assert_eq!(made.samples.len(), 2);
    }

    #[test]
    fn who_may_have_a_pod_on_a_silent_node_is_left_out() {
        let text = "node w1\nnode w2 not-ready since=9m\ntenant acme 1 on w1 w2-\ntenant globex 1 on w1";
        let seen = sketch(text, "2026-11-29T09:00:00Z".parse().expect("a time")).expect("a sketch");
        let deed = Deed::Migrate(Migrations::default().of("x".into()));
        let made = many(&seen, &deed, &["acme".into(), "globex".into()]);
        assert_eq!((made.items.len(), &*made.left[0].rule), (1, "node-silent"), "{:?}", made.left);
        assert!(made.left[0].why.contains("may run on w2 still, which does not answer"), "{:?}", made.left);
    }

    #[test]
    fn what_is_typed_is_how_many_tenants_there_are_however_many_of_them_are_loaded() {
        let names = ["acme", "globex", "initech"];
        for loaded in 1..=3 {
            let tenant = |(at, name): (usize, &&str)| {
                let used = if at < loaded { "630Mi" } else { "100Mi" };
                format!("tenant {name} 3 on w1 w2 w3 limit=640Mi used={used}\n")
            };
            let text: String = names.iter().enumerate().map(tenant).collect();
            let now = "2026-11-29T09:00:00Z".parse().expect("a time");
            let seen = sketch(&format!("node w1\nnode w2\nnode w3\n{text}"), now).expect("a sketch");
            let deed = Deed::Migrate(Migrations::default().of("x".into()));
            let made = many(&seen, &deed, &names.map(Into::into));
            assert_eq!(
                made.confirmation,
                Confirmation::Type("3 tenants".into()),
                "{loaded}: {:?}",
                made.warnings
            );
        }
    }

    #[test]
    fn who_runs_the_image_already_is_left_out_of_a_release() {
        let seen = seen();
        let acme = seen.tenants.get(&TenantName::from("acme")).expect("acme");
        let image = acme.workload.image_tag(&seen.tenancy.container).to_owned();
        let release = |image: &str| Release {
            tenant: "x".into(),
            image: image.into(),
            container: None,
            gitops_paused: false,
            steady: 0,
        };
        let made = many(&seen, &Deed::Release(release(&image)), &["acme".into()]);
        assert!(made.items.is_empty() && made.left[0].rule == "nothing", "{:?}", made.left);
        let made = many(&seen, &Deed::Release(release("9.9.9")), &["acme".into(), "globex".into()]);
        assert_eq!(made.goal, "release 9.9.9 to 2 tenants");
        let image = made.warnings.iter().find(|w| w.rule == "image").expect("a warning");
        assert_eq!(image.tenants, 2);
    }
}
