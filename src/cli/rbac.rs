//! `wheelhouse rbac`: the manifests of the roles, made from the rights the program declares.

use std::{collections::BTreeSet, fmt::Write};

use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};

use super::{Common, Failure, output, session};
use crate::{
    config::{Config, PasswordFrom, ProxyEntry, platform::PullSecret},
    run::rights::{RbacRole, Rule, Within},
};

/// The arguments of `wheelhouse rbac`.
#[derive(Debug, Args)]
#[command(
    after_help = "What is printed holds the roles that those named stand on, and a Namespace for the journal: \
                  pipe it to `kubectl apply -f -`.\n\
                  With -n NAMESPACE everything is granted in that namespace only, and nothing on nodes.\n\
                  `wheelhouse help rights` tells what each right is for."
)]
pub(super) struct RbacArgs {
    /// The roles
    #[arg(required = true, value_parser = role(), value_name = "ROLE")]
    roles: Vec<RbacRole>,
    /// Bind them to this user
    #[arg(long, value_name = "NAME")]
    user: Vec<String>,
    /// Bind them to this group
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    /// Bind them to this service account
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = service_account)]
    service_account: Vec<(String, String)>,
}

/// Reads the name of a role.
pub(super) fn role() -> impl TypedValueParser<Value = RbacRole> {
    let values = RbacRole::ALL.map(|role| PossibleValue::new(role.name()).help(role.about()));
    PossibleValuesParser::new(values)
        .try_map(|name| RbacRole::ALL.into_iter().find(|role| role.name() == name).ok_or("it is no role"))
}

fn service_account(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("a service account is written NAMESPACE/NAME".into()),
    }
}

pub(super) fn run(common: &Common, args: &RbacArgs) -> Result<(), Failure> {
    let config = session::configure(common)?;
    let wanted = args.roles.iter().flat_map(|role| role.with_those_below());
    let roles: BTreeSet<RbacRole> = wanted.copied().collect();
    output::print_as_it_is(&manifests(&roles, &config, &subjects(args)))
}

/// Whom the roles are bound to, as a binding lists them; empty: nobody.
fn subjects(args: &RbacArgs) -> String {
    let mut text = String::new();
    let of = |kind: &str, name: &String| {
        format!("- kind: {kind}\n  name: {}\n  apiGroup: rbac.authorization.k8s.io\n", quoted(name))
    };
    text.extend(args.user.iter().map(|name| of("User", name)));
    text.extend(args.group.iter().map(|name| of("Group", name)));
    text.extend(args.service_account.iter().map(|(namespace, name)| {
        format!("- kind: ServiceAccount\n  namespace: {}\n  name: {}\n", quoted(namespace), quoted(name))
    }));
    text
}

/// Text that YAML reads as this text, whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A role to be granted: where, and what.
struct Granted {
    name: String,
    /// `None`: on the whole cluster.
    namespace: Option<String>,
    about: String,
    rules: String,
}

fn manifests(roles: &BTreeSet<RbacRole>, config: &Config, subjects: &str) -> String {
    let journal = &config.journal.namespace;
    let mut text = format!(
        "# Made by `wheelhouse rbac`.\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: {}\n",
        quoted(journal)
    );
    for granted in roles.iter().flat_map(|role| granted(*role, config)) {
        text += &manifest(&granted, subjects);
    }
    text
}

fn granted(role: RbacRole, config: &Config) -> Vec<Granted> {
    let name = |what: &str| format!("wheelhouse-{}{what}", role.name());
    let about = |what: &str| {
        let warning = role.warning().map_or(String::new(), |warning| format!(" {warning}"));
        format!("{}{what}.{warning}", role.about())
    };
    let of = |wanted: &dyn Fn(&&Rule) -> bool| -> String {
        role.rules().iter().filter(wanted).map(rule_text).collect()
    };
    let mut all = match &config.namespace {
        None => vec![Granted {
            name: name(""),
            namespace: None,
            about: about(""),
            rules: of(&|rule| rule.within != Within::Journal),
        }],
        Some(namespace) => vec![Granted {
            name: name(""),
            namespace: Some(namespace.clone()),
            about: about(", in this namespace"),
            rules: of(&|rule| rule.within == Within::Namespaces),
        }],
    };
    all.push(Granted {
        name: name("-journal"),
        namespace: Some(config.journal.namespace.clone()),
        about: "what was done, and who does something now".into(),
        rules: of(&|rule| rule.within == Within::Journal),
    });
    if role == RbacRole::Viewer {
        all.extend(of_proxies(config));
        all.extend(of_secrets(config));
    }
    all.retain(|granted| !granted.rules.is_empty());
    all
}

/// Port-forwards to the proxies, in the namespaces of their services alone.
fn of_proxies(config: &Config) -> Vec<Granted> {
    let services = config.proxysql.addresses.iter().filter_map(|address| match address {
        ProxyEntry::Service { service, .. } => Some(service.namespace.to_string()),
        ProxyEntry::Direct(_) => None,
    });
    let namespaces: BTreeSet<String> = services.collect();
    let granted = |namespace: String| Granted {
        name: "wheelhouse-proxies".into(),
        namespace: Some(namespace),
        about: "finds the pods behind the services of the proxies, and reaches their admin ports".into(),
        rules: [("services", "get"), ("pods", "get, list"), ("pods/portforward", "get, create")]
            .map(|(resource, verbs)| {
                format!("- apiGroups: [\"\"]\n  resources: [{resource}]\n  verbs: [{verbs}]\n")
            })
            .concat(),
    };
    namespaces.into_iter().map(granted).collect()
}

/// The Secrets with the passwords of the database and of what stands around, and the login of the registry, by their names.
fn of_secrets(config: &Config) -> Vec<Granted> {
    const DATABASE: &str = "reads this password of the database";
    const STORES: &str = "reads this password of Redis or of servers with replicas";
    const REGISTRY: &str = "reads this login of the registry";
    let images = Some(&config.platform.registry).filter(|images| images.is_configured());
    let passwords = [&config.galera.login, &config.proxysql.login].map(|login| (&login.password, DATABASE));
    let redis = config.platform.redis.iter().map(|redis| &redis.login);
    let stores = redis.chain(config.platform.replicas.iter().map(|replica| &replica.login));
    let stores = stores.map(|login| (&login.password, STORES));
    let passwords =
        passwords.into_iter().chain(stores).chain(images.map(|images| (&images.password, REGISTRY)));
    let secrets = passwords.filter_map(|(password, about)| match password {
        Some(PasswordFrom::Secret(key)) => {
            Some((Some(key.secret.namespace.to_string()), key.secret.name.to_string(), about))
        }
        _ => None,
    });
    // Without a namespace it is that of every image: of this name alone, wherever it is.
    let pull = images.and_then(|images| images.pull_secret.as_ref()).map(|PullSecret(namespace, name)| {
        let namespace = namespace.as_deref().map(str::to_owned).or_else(|| config.namespace.clone());
        (namespace, name.to_string(), REGISTRY)
    });
    let secrets: BTreeSet<_> = secrets.chain(pull).collect();
    let granted = |(namespace, name, about): (Option<String>, String, &str)| Granted {
        name: format!("wheelhouse-secret-{name}"),
        namespace,
        about: about.into(),
        rules: format!(
            "- apiGroups: [\"\"]\n  resources: [secrets]\n  resourceNames: [{}]\n  verbs: [get]\n",
            quoted(&name)
        ),
    };
    secrets.into_iter().map(granted).collect()
}

fn rule_text(rule: &Rule) -> String {
    format!(
        "# {}\n- apiGroups: [{}]\n  resources: [{}]\n  verbs: [{}]\n",
        rule.what,
        quoted(rule.group),
        rule.resources.join(", "),
        rule.verbs.join(", ")
    )
}

fn manifest(granted: &Granted, subjects: &str) -> String {
    let Granted { name, namespace, about, rules } = granted;
    let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    let place = namespace.as_deref().map_or(String::new(), |n| format!("  namespace: {}\n", quoted(n)));
    let head = |kind: &str| {
        format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {name}\n{place}")
    };
    let mut text = format!("---\n# {about}\n{}rules:\n{rules}", head(kind));
    if !subjects.is_empty() {
        let _ = write!(
            text,
            "---\n{}roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {name}\nsubjects:\n{subjects}",
            head(&format!("{kind}Binding"))
        );
    }
    text
}
