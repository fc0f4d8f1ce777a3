//! Who may do what: users, their tokens and rules, and the answers of access reviews.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::failure::Failure;
use crate::kind::{KINDS, Kind};

/// Something a user may do: verbs on resources, in one namespace or everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRule {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; `*` for all.
    pub verbs: Vec<String>,
    /// `pods`, `deployments.apps`, `deployments.apps/scale`; `*` for all.
    pub resources: Vec<String>,
    /// The namespace it holds in; None for the whole cluster.
    pub namespace: Option<String>,
}

impl AccessRule {
    /// A rule from plain words.
    pub fn new(verbs: &[&str], resources: &[&str], namespace: Option<&str>) -> Self {
        Self {
            verbs: verbs.iter().map(|v| (*v).into()).collect(),
            resources: resources.iter().map(|r| (*r).into()).collect(),
            namespace: namespace.map(Into::into),
        }
    }

    fn allows(&self, deed: &Deed) -> bool {
        let matches = |list: &[String], word: &str| list.iter().any(|w| w == "*" || w == word);
        matches(&self.verbs, &deed.verb)
            && matches(&self.resources, &deed.full_resource())
            && self.namespace.as_ref().is_none_or(|n| *n == deed.namespace)
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// Groups; `system:masters` may do everything.
    pub groups: Vec<String>,
}

impl User {
    fn is_master(&self) -> bool {
        self.groups.iter().any(|g| g == "system:masters")
    }
}

/// What is asked for, as authorization sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deed {
    /// The verb.
    pub verb: String,
    /// API group.
    pub group: String,
    /// Plural resource.
    pub resource: String,
    /// Subresource or "".
    pub subresource: String,
    /// Namespace or "".
    pub namespace: String,
    /// Name or "".
    pub name: String,
}

impl Deed {
    fn full_resource(&self) -> String {
        let mut full = self.resource.clone();
        if !self.group.is_empty() {
            full = format!("{full}.{}", self.group);
        }
        if !self.subresource.is_empty() {
            full = format!("{full}/{}", self.subresource);
        }
        full
    }
}

/// A right taken away, from one user or from everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denial {
    pub(crate) user: Option<String>,
    pub(crate) rule: AccessRule,
}

#[derive(Default)]
struct Known {
    tokens: BTreeMap<String, User>,
    rules: BTreeMap<String, Vec<AccessRule>>,
    denials: Vec<Denial>,
}

/// The users the cluster knows. Tests add restricted ones.
#[derive(Default)]
pub struct Users {
    known: Mutex<Known>,
}

impl Users {
    /// Adds a user with these rights and returns its bearer token. A user of the same name is replaced.
    pub fn add(&self, name: &str, rules: &[AccessRule]) -> String {
        let token = format!("user-{name}-{:016x}", rand::random::<u64>());
        self.admit(&token, User { name: name.into(), groups: vec!["system:authenticated".into()] });
        self.lock().rules.insert(name.into(), rules.to_vec());
        token
    }

    /// Makes a token known.
    pub(crate) fn admit(&self, token: &str, user: User) {
        self.lock().tokens.insert(token.into(), user);
    }

    /// The user of a token.
    pub(crate) fn of_token(&self, token: &str) -> Option<User> {
        self.lock().tokens.get(token).cloned()
    }

    /// Takes a right away until [`Users::restore`].
    pub(crate) fn deny(&self, denial: Denial) {
        self.lock().denials.push(denial);
    }

    /// Gives all denied rights back.
    pub(crate) fn restore(&self) {
        self.lock().denials.clear();
    }

    /// Whether the user may do it.
    pub fn allows(&self, user: &User, deed: &Deed) -> bool {
        let known = self.lock();
        let denied = |d: &Denial| d.user.as_ref().is_none_or(|u| *u == user.name) && d.rule.allows(deed);
        if known.denials.iter().any(denied) {
            return false;
        }
        let reviews = deed.verb == "create" && deed.resource.starts_with("selfsubject");
        user.is_master()
            || reviews
            || known.rules.get(&user.name).is_some_and(|r| r.iter().any(|r| r.allows(deed)))
    }

    /// Refuses what the user may not do, in the words of RBAC.
    ///
    /// # Errors
    /// 403.
    pub fn check(&self, user: &User, deed: &Deed) -> Result<(), Failure> {
        if self.allows(user, deed) {
            return Ok(());
        }
        let mut named = deed.resource.clone();
        let mut details = json!({"kind": deed.resource});
        if !deed.group.is_empty() {
            named = format!("{named}.{}", deed.group);
            details["group"] = deed.group.as_str().into();
        }
        if !deed.name.is_empty() {
            named = format!("{named} \"{}\"", deed.name);
            details["name"] = deed.name.as_str().into();
        }
        let resource = match deed.subresource.as_str() {
            "" => deed.resource.clone(),
            subresource => format!("{}/{subresource}", deed.resource),
        };
        let place = match deed.namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        let message = format!(
            "{named} is forbidden: User \"{}\" cannot {} resource \"{resource}\" in API group \"{}\" {place}",
            user.name, deed.verb, deed.group
        );
        Err(Failure { details, ..Failure::new(403, "Forbidden", message) })
    }

    /// Answers a `SelfSubjectAccessReview`'s spec.
    pub fn review(&self, user: &User, spec: &Value) -> Value {
        let word = |field: &str| spec["resourceAttributes"][field].as_str().unwrap_or_default().to_owned();
        let allowed = if spec["resourceAttributes"].is_object() {
            self.allows(
                user,
                &Deed {
                    verb: word("verb"),
                    group: word("group"),
                    resource: word("resource"),
                    subresource: word("subresource"),
                    namespace: word("namespace"),
                    name: word("name"),
                },
            )
        } else {
            spec["nonResourceAttributes"]["verb"] == "get" || user.is_master()
        };
        json!({"allowed": allowed})
    }

    /// The status of a `SelfSubjectRulesReview` for a namespace.
    pub fn rules(&self, user: &User, namespace: &str) -> Value {
        let known = self.lock();
        let mut resources = vec![json!({
            "verbs": ["create"],
            "apiGroups": ["authorization.k8s.io"],
            "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
        })];
        resources.push(json!({
            "verbs": ["create"],
            "apiGroups": ["authentication.k8s.io"],
            "resources": ["selfsubjectreviews"],
        }));
        if user.is_master() && known.denials.is_empty() {
            resources.insert(0, json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        } else if user.is_master() {
            drop(known);
            resources.extend(self.rights_left(user, namespace));
            return finished(resources);
        } else {
            for rule in known.rules.get(&user.name).into_iter().flatten() {
                if rule.namespace.as_deref().is_none_or(|n| n == namespace) {
                    resources.extend(rule.resources.iter().map(|r| described(&rule.verbs, r)));
                }
            }
        }
        finished(resources)
    }

    fn rights_left(&self, user: &User, namespace: &str) -> Vec<Value> {
        let mut rights = Vec::new();
        for kind in KINDS.iter().filter(|kind| !kind.is_extension()) {
            for subresource in std::iter::once("").chain(kind.subresources.iter().copied()) {
                let may = |verb: &&str| {
                    let deed = Deed {
                        verb: (**verb).into(),
                        group: kind.group.into(),
                        resource: kind.plural.into(),
                        subresource: subresource.into(),
                        namespace: if kind.namespaced { namespace.into() } else { String::new() },
                        name: String::new(),
                    };
                    self.allows(user, &deed)
                };
                let verbs: Vec<String> =
                    kind.verbs().iter().filter(|v| may(v)).map(|v| (*v).to_owned()).collect();
                if !verbs.is_empty() {
                    let slash = if subresource.is_empty() { "" } else { "/" };
                    rights.push(described(&verbs, &format!("{}{slash}{subresource}", kind.resource())));
                }
            }
        }
        rights
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn finished(resources: Vec<Value>) -> Value {
    json!({
        "resourceRules": resources,
        "nonResourceRules": [
            {"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"]},
        ],
        "incomplete": false,
    })
}

/// A rule of ours as RBAC would write it.
fn described(verbs: &[String], resource: &str) -> Value {
    let (object, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let (plural, group) = object.split_once('.').unwrap_or((object, if object == "*" { "*" } else { "" }));
    let slash = if subresource.is_empty() { "" } else { "/" };
    json!({"verbs": verbs, "apiGroups": [group], "resources": [format!("{plural}{slash}{subresource}")]})
}

/// What a request for this kind would be to authorization.
pub fn deed(verb: &str, kind: &Kind, subresource: &str, namespace: &str, name: &str) -> Deed {
    Deed {
        verb: verb.into(),
        group: kind.group.into(),
        resource: kind.plural.into(),
        subresource: subresource.into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_give_and_denials_take() {
        let users = Users::default();
        let token = users
            .add("viewer", &[AccessRule::new(&["list"], &["pods", "deployments.apps/scale"], Some("a"))]);
        let viewer = users.of_token(&token).unwrap();
        let list = deed("list", Kind::POD, "", "a", "");
        assert!(users.allows(&viewer, &list));
        assert!(!users.allows(&viewer, &deed("list", Kind::POD, "", "b", "")));
        assert!(users.allows(&viewer, &deed("list", Kind::DEPLOYMENT, "scale", "a", "x")));
        assert!(!users.allows(&viewer, &deed("list", Kind::DEPLOYMENT, "", "a", "x")));
        users.deny(Denial { user: None, rule: AccessRule::new(&["list"], &["pods"], None) });
        let master = User { name: "root".into(), groups: vec!["system:masters".into()] };
        assert!(!users.allows(&master, &list));
        users.restore();
        assert!(users.allows(&master, &list));
    }

    #[test]
    fn a_refusal_is_worded_as_rbac_does() {
        let nobody = User { name: "somebody".into(), groups: Vec::new() };
        let failure = Users::default().check(&nobody, &deed("list", Kind::POD, "", "saas", "")).unwrap_err();
        let wanted = "pods is forbidden: User \"somebody\" cannot list resource \"pods\" in API group \"\" in the namespace \"saas\"";
        assert_eq!((failure.message.as_str(), failure.details), (wanted, json!({"kind": "pods"})));
    }
}
