//! The way from a host name to the pods of a tenant: which link is broken, which is not known, and what is no fault.

pub mod served;

use std::sync::Arc;

use serde_json::{Value, json};
use wheelhouse::{
    cluster::{
        Answer, Chain, Finding, Freshness, LinkState, NOT_INSTALLED, Observation, Outside, Part, Pod, Seen,
        Severity, Snapshot, TenantName, findings, sketch,
    },
    demo::{AccessRule, Scenario, kind::Kind as Stored},
    live::convert::{
        Certificates, EndpointSlices, Gateways, HttpRoutes, IngressClasses, Ingresses, Interner, Kind,
        Services,
    },
    record::{Head, Recorder, Recording},
};

use crate::{
    program::{Demo, Home},
    world::{self, still},
};

const NOW: &str = "2026-11-29T04:30:00Z";

fn capture(name: &str) -> Value {
    let path = format!("{}/tests/captures/platform/kubernetes/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The objects of a list, as they are read.
fn read<K: Kind>(list: &Value) -> Vec<(K::Key, K::Value)> {
    let items = list["items"].as_array().expect("a list");
    let one = |item: &Value| {
        let object =
            K::read(&item.to_string(), &mut Interner::default()).unwrap_or_else(|e| panic!("{e}: {item}"));
        (object.key, object.value)
    };
    items.iter().map(one).collect()
}

fn list(items: Vec<Value>) -> Value {
    json!({ "items": items })
}

fn meta(namespace: &str, name: &str, made: &str) -> Value {
    json!({"name": name, "namespace": namespace, "resourceVersion": "1", "creationTimestamp": made})
}

const EARLY: &str = "2026-06-01T00:00:00Z";
const LATE: &str = "2026-11-01T00:00:00Z";

fn ingress(namespace: &str, name: &str, made: &str, host: &str, service: &str, port: Value) -> Value {
    json!({
        "metadata": meta(namespace, name, made),
        "spec": {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": port}}}]}}]},
    })
}

fn class(name: &str, controller: &str, made: &str, default: bool) -> Value {
    let mut class = json!({"metadata": meta("", name, made), "spec": {"controller": controller}});
    class["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"] =
        default.to_string().into();
    class
}

fn slice(namespace: &str, service: &str, ready: &[bool], port: &str) -> Value {
    let mut metadata = meta(namespace, &format!("{service}-x7k2p"), EARLY);
    metadata["labels"] = json!({"kubernetes.io/service-name": service});
    let endpoints: Vec<_> = ready.iter().map(|ready| json!({"conditions": {"ready": ready}})).collect();
    json!({"metadata": metadata, "endpoints": endpoints, "ports": [{"name": port, "port": 8080}]})
}

/// Two tenants, each with a Service whose endpoints are ready and an Ingress.
struct World {
    seen: Snapshot,
    ingresses: Vec<Value>,
    classes: Vec<Value>,
    slices: Vec<Value>,
    services: Vec<Value>,
    certificates: Vec<Value>,
}

fn world() -> World {
    let text = "node w1\nnode w2\ntenant acme 2 on w1 w2\ntenant globex 2 on w1 w2";
    let service = |name: &str| {
        json!({"metadata": meta(name, name, EARLY), "spec": {"selector": {"app": name},
               "ports": [{"name": "http", "port": 80, "targetPort": "web"}]}})
    };
    let named = |name: &str| {
        ingress(name, name, EARLY, &format!("{name}.example.test"), name, json!({"name": "http"}))
    };
    World {
        seen: sketch(text, NOW.parse().expect("a time")).expect("a sketch"),
        ingresses: vec![named("acme"), named("globex")],
        classes: vec![class("nginx", "k8s.io/ingress-nginx", EARLY, true)],
        slices: vec![
            slice("acme", "acme", &[true, true], "http"),
            slice("globex", "globex", &[true, true], "http"),
        ],
        services: vec![service("acme"), service("globex")],
        certificates: vec![],
    }
}

/// The same with a certificate for the host of acme.
fn certified() -> World {
    let mut world = world();
    world.ingresses[0]["spec"]["tls"] = json!([{"hosts": ["acme.example.test"], "secretName": "acme-tls"}]);
    let mut certificate = capture("certificate.healthy")["items"][0].clone();
    certificate["metadata"]["namespace"] = "acme".into();
    world.certificates = vec![certificate];
    world
}

impl World {
    fn seen(&self) -> Snapshot {
        let (mut seen, at) = (self.seen.clone(), self.seen.at);
        let all = |items: &[Value]| list(items.to_vec());
        for observation in [
            Observation::Ingress(Seen::All(read::<Ingresses>(&all(&self.ingresses)), at)),
            Observation::IngressClass(Seen::All(read::<IngressClasses>(&all(&self.classes)), at)),
            Observation::EndpointSlice(Seen::All(read::<EndpointSlices>(&all(&self.slices)), at)),
            Observation::Service(Seen::All(read::<Services>(&all(&self.services)), at)),
            Observation::Certificate(Seen::All(read::<Certificates>(&all(&self.certificates)), at)),
        ] {
            seen.observe(observation);
        }
        seen
    }
}

fn chain(seen: &Snapshot, tenant: &str) -> Chain {
    Chain::of(seen, &seen.tenants[&TenantName::from(tenant)])
}

/// The rules about ways, with whom they are about, how grave it is, and the sentence.
fn told(seen: &Snapshot) -> Vec<(&'static str, String, Severity, String)> {
    const RULES: [&str; 5] =
        ["unreachable", "host-claimed-twice", "certificate", "ingress-class-missing", "default-classes"];
    let of_ways = |f: &Finding| RULES.contains(&f.rule);
    let all = findings(seen).into_iter().filter(of_ways);
    all.map(|f| (f.rule, f.subject.name().to_owned(), f.severity, f.text)).collect()
}

fn one(seen: &Snapshot) -> (&'static str, String, Severity, String) {
    let all = told(seen);
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().expect("one")
}

#[test]
fn a_whole_way_is_told_link_after_link_and_nothing_is_wrong() {
    let seen = world().seen();
    assert_eq!(told(&seen), vec![]);
    let acme = chain(&seen, "acme");
    assert_eq!((acme.state(), acme.broken()), (LinkState::Ok, None));
    let parts: Vec<_> = acme.routes[0].links.iter().map(|link| (link.part, link.text.as_str())).collect();
    assert_eq!(
        parts,
        [
            (Part::Rule, "Ingress acme/acme leads acme.example.test/ there"),
            (Part::Class, "class nginx of k8s.io/ingress-nginx"),
            (Part::Service, "port http (80) of Service acme/acme"),
            (Part::Endpoints, "2 of 2 endpoints ready"),
        ]
    );
    assert_eq!(acme.sentence(), "acme.example.test: every link that is seen holds");
}

#[test]
fn the_first_broken_link_is_named_with_what_answers_it() {
    type Break = fn(&mut World);
    let cases: [(Break, Part, &str); 5] = [
        (|w| drop(w.services.remove(0)), Part::Service, "there is no Service acme/acme"),
        (
            |w| w.services[0]["spec"]["selector"] = json!({"app": "acmee"}),
            Part::Service,
            "Service acme/acme selects app=acmee, and no pod has these labels",
        ),
        (
            |w| w.services[0]["spec"]["ports"] = json!([{"name": "web", "port": 8080}]),
            Part::Service,
            "Service acme/acme has no port http, only web (8080)",
        ),
        (
            |w| w.slices[0]["ports"] = json!([]),
            Part::Endpoints,
            "port http (80) of Service acme/acme leads to port web of the pods, which none of them has",
        ),
        (
            |w| w.slices[0] = slice("acme", "acme", &[false, false], "http"),
            Part::Endpoints,
            "no endpoint of Service acme/acme is ready, though 2 pods are",
        ),
    ];
    for (change, part, text) in cases {
        let mut world = world();
        change(&mut world);
        let seen = world.seen();
        let acme = chain(&seen, "acme");
        let (host, link) = acme.broken().unwrap_or_else(|| panic!("{text}: {acme:?}"));
        assert_eq!((host.map(|h| &**h), link.part, &*link.text), (Some("acme.example.test"), part, text));
        assert!(link.remedy.as_ref().is_some_and(|remedy| remedy.contains("`kubectl -n acme ")), "{link:?}");
        assert_eq!(
            one(&seen),
            ("unreachable", "acme".into(), Severity::Critical, format!("acme.example.test: {text}"))
        );
        let all = findings(&seen);
        let found = all.iter().find(|f| f.rule == "unreachable").expect("it is told");
        assert_eq!(found.answer, Some(Answer::Open));
    }
}

#[test]
fn a_port_may_be_named_by_its_number_and_a_condition_that_is_not_told_holds() {
    let mut world = world();
    let of =
        |number: u16| ingress("acme", "acme", EARLY, "acme.example.test", "acme", json!({"number": number}));
    world.ingresses[0] = of(80);
    world.slices[0]["endpoints"] = json!([{"addresses": ["10.0.0.1"]}, {"conditions": {}}]);
    assert_eq!(told(&world.seen()), vec![]);
    world.ingresses[0] = of(81);
    assert!(one(&world.seen()).3.contains("has no port 81, only http (80)"));
}

#[test]
fn endpoints_that_are_null_are_none_and_a_parked_tenant_is_no_fault() {
    let scaled = capture("endpointslices.scaled_to_zero");
    assert_eq!(scaled["items"][0]["endpoints"], Value::Null);
    let (_, slice) = read::<EndpointSlices>(&scaled).remove(0);
    assert_eq!(
        (slice.total, slice.ready, slice.ports.len(), slice.service.as_deref()),
        (0, 0, 0, Some("app"))
    );
    let of = |name: &str| {
        let (_, slice) = read::<EndpointSlices>(&capture(name)).remove(0);
        (slice.ready, slice.total)
    };
    assert_eq!(of("endpointslices.one_ready_one_not"), (1, 2));
    let (ready, total) = of("endpointslices.terminating");
    assert!(ready < total, "a pod that ends is not ready, though it serves: {ready} of {total}");

    let mut world = world();
    world.seen = sketch("node w1\ntenant acme 0\ntenant globex 1 on w1", NOW.parse().expect("a time"))
        .expect("a sketch");
    world.slices[0]["endpoints"] = Value::Null;
    world.slices[0]["ports"] = Value::Null;
    world.slices[1] = self::slice("globex", "globex", &[true], "http");
    let seen = world.seen();
    assert_eq!(told(&seen), vec![]);
    assert_eq!(chain(&seen, "acme").broken(), None);
}

#[test]
fn a_tenant_that_is_down_is_told_once_and_pods_that_became_ready_just_now_are_on_their_way() {
    let mut world = world();
    world.slices[0] = slice("acme", "acme", &[false, false], "http");
    world.seen =
        sketch("node w1\nnode w2\ntenant acme 2 on w1x w2x\ntenant globex 2 on w1 w2", world.seen.at)
            .expect("a sketch");
    let seen = world.seen();
    assert_eq!(told(&seen), vec![], "tenant-down says it");
    assert!(findings(&seen).iter().any(|f| f.rule == "tenant-down"));
    assert_eq!(chain(&seen, "acme").broken().map(|(_, link)| link.part), Some(Part::Endpoints));

    let mut world = self::world();
    world.slices[0] = slice("acme", "acme", &[false, false], "http");
    let now = world.seen.at;
    let pods: Vec<_> = world.seen.tenants[&TenantName::from("acme")].pods.clone();
    for pod in pods {
        let mut pod = Pod::clone(&pod);
        pod.ready_since = Some(now - jiff::SignedDuration::from_secs(5));
        world.seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
    }
    assert_eq!(told(&world.seen()), vec![], "EndpointSlices follow");
}

#[test]
fn of_two_that_claim_a_host_the_older_gets_the_requests_across_namespaces() {
    let mut world = world();
    world.ingresses[1] =
        ingress("globex", "globex", LATE, "acme.example.test", "globex", json!({"name": "http"}));
    let seen = world.seen();
    let all = told(&seen);
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!((all[0].0, &*all[0].1, all[0].2), ("host-claimed-twice", "globex", Severity::Critical));
    assert_eq!(
        all[0].3,
        "acme.example.test: requests go to Ingress acme/acme, which claims it too and is older"
    );
    assert_eq!((all[1].0, &*all[1].1, all[1].2), ("host-claimed-twice", "acme", Severity::Warning));
    let globex = chain(&seen, "globex");
    let (_, link) = globex.broken().expect("it gets no request");
    assert_eq!(link.since, Some(LATE.parse().expect("a time")));
    assert!(
        link.remedy.as_ref().is_some_and(|r| r.contains("kubectl -n acme edit ingress acme")),
        "{link:?}"
    );

    // Upper case is the same host; the API server refuses it, a store may hold it all the same.
    world.ingresses[1]["spec"]["rules"][0]["host"] = "Acme.Example.Test".into();
    assert_eq!(told(&world.seen()).len(), 2);
    // Another class: who is asked depends on where the name leads.
    world.classes.push(class("traefik", "traefik.io/ingress-controller", EARLY, false));
    world.ingresses[1]["spec"]["ingressClassName"] = "traefik".into();
    let all = told(&world.seen());
    assert!(all.len() == 2 && all.iter().all(|f| f.2 == Severity::Warning), "{all:?}");
}

#[test]
fn the_same_host_on_purpose_is_no_fault() {
    // A canary claims what its main one claims; another path, and another rule to the same Service, contradict nothing.
    let mut world = world();
    let second =
        |name: &str| ingress("acme", name, LATE, "acme.example.test", "acme", json!({"name": "http"}));
    let mut canary = ingress("acme", "canary", LATE, "acme.example.test", "acme-next", json!({"number": 80}));
    canary["metadata"]["annotations"] = json!({"nginx.ingress.kubernetes.io/canary": "true"});
    let mut other = ingress("globex", "other", LATE, "acme.example.test", "globex", json!({"number": 80}));
    other["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/globex".into();
    let mut wild = ingress("globex", "wild", EARLY, "*.example.test", "globex", json!({"number": 80}));
    wild["spec"]["tls"] = json!([{"hosts": ["*.example.test"], "secretName": "wild"}]);
    world.ingresses.extend([second("again"), canary, other, wild]);
    assert_eq!(told(&world.seen()), vec![]);
}

#[test]
fn a_class_that_is_not_there_is_told_and_one_that_cannot_be_known_is_not() {
    let mut world = world();
    world.ingresses[0]["spec"]["ingressClassName"] = "ghost".into();
    let (rule, tenant, severity, text) = one(&world.seen());
    assert_eq!((rule, &*tenant, severity), ("ingress-class-missing", "acme", Severity::Warning));
    assert!(text.contains("there is no IngressClass ghost"), "{text}");
    // By annotation, or without any, a controller may serve it that goes by no class.
    world.ingresses[0]["spec"]["ingressClassName"] = Value::Null;
    world.ingresses[0]["metadata"]["annotations"] = json!({"kubernetes.io/ingress.class": "ghost"});
    assert_eq!(told(&world.seen()), vec![]);
    world.ingresses[0]["metadata"]["annotations"] = Value::Null;
    assert_eq!(told(&world.seen()), vec![]);
    // Classes that may not be read are not known.
    world.ingresses[0]["spec"]["ingressClassName"] = "ghost".into();
    let mut seen = world.seen();
    seen.ingress_classes = Default::default();
    seen.observe(Observation::IngressClass(Seen::Lost(seen.at, "needs list".into())));
    assert_eq!(told(&seen), vec![]);
    let acme = chain(&seen, "acme");
    assert_eq!(acme.routes[0].links[1].state, LinkState::Unknown);
}

#[test]
fn of_two_default_classes_the_newest_is_given() {
    let mut world = world();
    world.classes.push(class("second", "example.test/second", LATE, true));
    assert_eq!(
        one(&world.seen()),
        (
            "default-classes",
            "ingressclasses".into(),
            Severity::Notice,
            "second and nginx are default: new Ingresses without a class get second".into()
        )
    );
}

#[test]
fn a_secret_is_never_missing_and_a_certificate_goes_by_its_dates_whatever_ready_says() {
    let mut world = world();
    world.ingresses[0]["spec"]["tls"] = json!([{"hosts": ["acme.example.test"], "secretName": "acme-tls"}]);
    let seen = world.seen();
    assert_eq!(told(&seen), vec![]);
    let tls = |seen: &Snapshot| {
        let acme = chain(seen, "acme");
        acme.routes[0].links.iter().find(|link| link.part == Part::Tls).expect("a link").clone()
    };
    assert_eq!(tls(&seen).state, LinkState::Unknown);
    assert_eq!(tls(&seen).text, "its certificate is in Secret acme/acme-tls, which is not read");

    let certificate = |name: &str| {
        let mut certificate = capture(name)["items"][0].clone();
        certificate["metadata"]["namespace"] = "acme".into();
        certificate
    };
    world.certificates = vec![certificate("certificate.healthy")];
    assert_eq!((told(&world.seen()), tls(&world.seen()).state), (vec![], LinkState::Ok));

    let mut expired = certificate("certificate.expired_renewal_failing");
    expired["status"]["conditions"][0]["status"] = "True".into();
    world.certificates = vec![expired.clone()];
    let (rule, tenant, severity, text) = one(&world.seen());
    assert_eq!((rule, &*tenant, severity), ("certificate", "acme", Severity::Critical));
    assert!(
        text.starts_with(
            "acme.example.test: Certificate acme/acme-tls expired 5d ago; the attempt 24h ago failed: The certificate \
             request has failed to complete and will be retried"
        ),
        "{text}"
    );
    // Near its end: by the share of its lifetime.
    for (until, severity) in
        [("2026-12-01T00:00:00Z", Severity::Warning), ("2026-12-20T00:00:00Z", Severity::Notice)]
    {
        expired["status"]["notAfter"] = until.into();
        world.certificates = vec![expired.clone()];
        assert_eq!(one(&world.seen()).2, severity, "until {until}");
    }
}

#[test]
fn an_ingress_without_a_service_of_a_tenant_with_another_way_does_not_take_it_down() {
    let mut world = world();
    world.ingresses.push(ingress("acme", "old", EARLY, "old.example.test", "gone", json!({"number": 80})));
    assert_eq!(
        one(&world.seen()),
        (
            "unreachable",
            "acme".into(),
            Severity::Warning,
            "old.example.test: there is no Service acme/gone".into()
        )
    );
}

#[test]
fn what_other_workloads_of_a_namespace_serve_is_not_the_tenants() {
    let mut world = world();
    let adminer = json!({"metadata": meta("acme", "adminer", EARLY), "spec": {"selector": {"app": "adminer"},
        "ports": [{"port": 80}]}});
    world.services.push(adminer);
    world.ingresses.push(ingress(
        "acme",
        "adminer",
        EARLY,
        "adminer.example.test",
        "adminer",
        json!({"number": 80}),
    ));
    let mut pod = Pod::clone(&world.seen.tenants[&TenantName::from("acme")].pods[0]);
    pod.key = wheelhouse::cluster::Key::new("acme", "adminer-1");
    pod.owner = None;
    pod.labels = Arc::new(wheelhouse::cluster::LabelSet::from([("app".into(), "adminer".into())]));
    world.seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
    let seen = world.seen();
    assert_eq!(told(&seen), vec![]);
    assert_eq!(chain(&seen, "acme").routes.len(), 1);
}

#[test]
fn the_ways_are_worked_out_again_when_what_they_rest_on_changes_and_only_then() {
    let world = world();
    let seen = world.seen();
    let (ways, before) = (Outside::of(&seen), told(&seen));
    assert_eq!(before, vec![]);
    // A pod is seen again, otherwise, and a later moment comes: no way is another.
    let mut later = seen.clone();
    let (key, pod) =
        later.pods.items.iter().next().map(|(key, pod)| (key.clone(), (**pod).clone())).expect("a pod");
    let pod = Pod { ready: !pod.ready, ..pod };
    assert!(later.observe(Observation::Pod(Seen::Put(key, pod))));
    later.at += jiff::SignedDuration::from_secs(1);
    assert!(Arc::ptr_eq(&ways, &Outside::of(&later)));
    // An Ingress leads elsewhere: told of this snapshot, and of the one before as it was.
    let mut changed = seen.clone();
    let stolen = ingress("globex", "stolen", EARLY, "acme.example.test", "globex", json!({"name": "http"}));
    let (key, value) = read::<Ingresses>(&list(vec![stolen])).remove(0);
    changed.observe(Observation::Ingress(Seen::Put(key.clone(), value)));
    assert_eq!(told(&changed).len(), 2);
    assert_eq!(told(&seen), before);
    changed.observe(Observation::Ingress(Seen::Gone(key)));
    assert_eq!(told(&changed), before);
    // So do endpoints, and whether there is a pod with the labels of a Service.
    let (key, mut slice) =
        read::<EndpointSlices>(&list(vec![slice("acme", "acme", &[true], "http")])).remove(0);
    slice.ready = 0;
    changed.observe(Observation::EndpointSlice(Seen::Put(key, slice)));
    assert_eq!(one(&changed).0, "unreachable");
}

#[test]
fn what_was_judged_is_told_again_only_as_long_as_it_holds() {
    let mut world = certified();
    let seen = world.seen();
    assert_eq!(told(&seen), vec![]);
    let ends = Chain::until(&seen, &seen.tenants[&TenantName::from("acme")]).expect("it is known");
    let at = |seen: &Snapshot, at| {
        let mut later = seen.clone();
        later.at = at;
        told(&later)
    };
    let days = |days: i64| jiff::SignedDuration::from_hours(24 * days);
    // Nothing but time passes.
    let told: Vec<_> = [days(4), days(2), days(-1), days(80)].map(|left| at(&seen, ends - left)).into();
    let severities: Vec<_> = told.iter().map(|all| all.iter().map(|f| f.2).collect::<Vec<_>>()).collect();
    assert_eq!(
        severities,
        [vec![Severity::Warning], vec![Severity::Warning], vec![Severity::Critical], vec![]],
        "{told:?}"
    );
    let ago = |more| at(&seen, ends + days(more)).remove(0).3;
    assert!(ago(3).contains("expired 3d ago") && ago(5).contains("expired 5d ago"), "{} {}", ago(3), ago(5));

    // Endpoints that do not follow pods are on their way, until they should be there.
    world.slices[0] = slice("acme", "acme", &[false, false], "http");
    let pods: Vec<_> = world.seen.tenants[&TenantName::from("acme")].pods.clone();
    let (now, class) = (world.seen.at, Arc::<str>::from("nginx"));
    for pod in pods {
        let mut pod = Pod::clone(&pod);
        pod.ready_since = Some(now - jiff::SignedDuration::from_secs(5));
        world.seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
    }
    let mut seen = world.seen();
    assert_eq!(self::told(&seen), vec![]);
    assert_eq!(at(&seen, now + jiff::SignedDuration::from_secs(60))[0].0, "unreachable");
    // What all tenants are judged by changes.
    seen.observe(Observation::IngressClass(Seen::Gone(class)));
    let rules = |seen: &Snapshot| self::told(seen).into_iter().map(|f| (f.0, f.1)).collect::<Vec<_>>();
    let missing = |name: &str| ("ingress-class-missing", name.to_owned());
    assert_eq!(rules(&seen), [missing("acme"), missing("globex")]);
    seen.observe(Observation::IngressClass(Seen::Lost(now, "403".into())));
    assert_eq!(rules(&seen).len(), 2, "it is known what was there");
}

#[test]
fn of_many_tls_entries_the_first_that_names_the_host_counts() {
    let mut world = world();
    world.ingresses[0]["spec"]["tls"] = json!([
        {"hosts": ["other.example.test"], "secretName": "other"},
        {"hosts": ["*.example.test"], "secretName": "wild"},
        {"hosts": ["acme.example.test"], "secretName": "own"},
        {"secretName": "all"},
    ]);
    let secret = |world: &World| {
        let chain = chain(&world.seen(), "acme");
        let tls = chain.routes[0].links.iter().find(|link| link.part == Part::Tls);
        tls.map(|link| link.text.clone()).unwrap_or_default()
    };
    assert!(secret(&world).contains("Secret acme/wild"), "{}", secret(&world));
    world.ingresses[0]["spec"]["tls"] =
        json!([{"secretName": "all"}, {"hosts": ["acme.example.test"], "secretName": "own"}]);
    assert!(secret(&world).contains("Secret acme/all"), "{}", secret(&world));
    world.ingresses[0]["spec"]["tls"] =
        json!([{"hosts": ["a.acme.example.test", "*.test"], "secretName": "not"}]);
    assert_eq!(secret(&world), "");
}

#[test]
fn a_route_of_the_gateway_api_is_judged_by_what_its_controller_says() {
    let mut world = world();
    world.ingresses.clear();
    let route = |change: fn(&mut Value)| {
        let mut route = capture("httproutes")["items"][0].clone();
        route["metadata"]["namespace"] = "acme".into();
        route["spec"]["rules"][0]["backendRefs"][0]["name"] = "acme".into();
        change(&mut route);
        let at = NOW.parse().expect("a time");
        Observation::HttpRoute(Seen::All(read::<HttpRoutes>(&list(vec![route])), at))
    };
    let gateways = |resolved: bool| {
        let mut all = capture("gateways");
        if resolved {
            all["items"][0]["status"]["listeners"][0]["conditions"][0]["status"] = "True".into();
        }
        Observation::Gateway(Seen::All(read::<Gateways>(&all), NOW.parse().expect("a time")))
    };
    let judged = |route: Observation, gateway: Observation| {
        let mut seen = world.seen();
        seen.observe(route);
        seen.observe(gateway);
        let acme = chain(&seen, "acme");
        let broken = acme.broken().map(|(_, link)| (link.part, link.text.clone()));
        let critical = told(&seen).iter().any(|f| f.0 == "unreachable" && f.2 == Severity::Critical);
        assert_eq!(critical, broken.is_some(), "{broken:?}");
        (broken, acme)
    };
    // That is said of the whole route: another of its backends may be missing.
    let (broken, acme) = judged(route(|_| {}), gateways(true));
    let text = "not all that it refers to is resolved: BackendNotFound: Service tenant-acme/app not found";
    assert_eq!((broken, acme.state()), (None, LinkState::Warning));
    assert!(acme.sentence().ends_with(text), "{}", acme.sentence());
    let resolved: fn(&mut Value) = |route| {
        route["status"]["parents"][0]["conditions"][1]["status"] = "True".into();
    };
    let (broken, acme) = judged(route(resolved), gateways(true));
    assert_eq!((broken, &*acme.routes[0].host), (None, "acme.example.test"));
    let (broken, _) = judged(route(resolved), gateways(false));
    let text = "listener https of Gateway default/shared does not resolve what it refers to: InvalidCertificateRef: Secret default/wild not found";
    assert_eq!(broken, Some((Part::Tls, text.into())));
    // Not judged yet, or judged in an earlier version: not known.
    for not_judged in [(|route: &mut Value| route["status"] = Value::Null) as fn(&mut Value), |route| {
        route["metadata"]["generation"] = 2.into()
    }] {
        let (broken, acme) = judged(route(not_judged), gateways(true));
        assert_eq!((broken, acme.routes[0].state()), (None, LinkState::Unknown));
    }
}

#[test]
fn the_recorded_objects_of_a_real_server_are_read() {
    let ingresses = read::<Ingresses>(&capture("ingresses"));
    let of = |name: &str| {
        let found = ingresses.iter().find(|(key, _)| &*key.name == name);
        &found.unwrap_or_else(|| panic!("{name}")).1
    };
    assert_eq!(of("badclass").class.as_deref(), Some("ghost"));
    let old = of("oldannotation");
    assert_eq!((old.class.as_deref(), old.annotated.as_deref()), (None, Some("nginx")));
    let hosts: Vec<_> = old.paths.iter().map(|path| &*path.host).collect();
    assert_eq!(hosts, ["*.apps.example.test", ""], "the default backend stands for every other host");
    assert_eq!(of("app").tls[0].secret.as_deref(), Some("acme-tls"));
    let classes = read::<IngressClasses>(&capture("ingressclasses"));
    assert!(classes[0].1.is_default && &*classes[0].1.controller == "k8s.io/ingress-nginx");
}

#[test]
fn a_recording_tells_the_ways_as_they_were() {
    let mut world = certified();
    let whole = world.seen();
    world.services[0]["spec"]["ports"] = json!([{"name": "web", "port": 8080}]);
    world.classes.push(class("second", "example.test/second", LATE, true));
    let mut broken = world.seen();
    broken.revision += 1;
    broken.at += jiff::SignedDuration::from_secs(5);

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ways.rec");
    let mut recorder = Recorder::create(&path, &Head::default()).expect("a new file");
    for seen in [&whole, &broken] {
        recorder.take(seen).expect("it is written");
    }
    recorder.close().expect("it is written");
    let mut recording = Recording::open(&[path]).expect("a recording");
    for (place, live) in [&whole, &broken].into_iter().enumerate() {
        let replayed = recording.at(place).expect("a moment");
        assert_eq!(chain(&replayed, "acme"), chain(live, "acme"));
        assert_eq!(told(&replayed), told(live));
    }
    assert_eq!(told(&broken).len(), 2);
}

#[test]
fn the_command_tells_the_way_of_a_tenant_and_of_all_and_in_json() {
    let demo = Demo::cluster("--speed 1 --scenario calm --seed 7 --tenants 4 --nodes 3");
    let (all, _) = demo.run(0, &["reach"]);
    assert!(all.lines().next().is_some_and(|head| head.starts_with("TENANT")), "{all}");
    assert!(all.contains("acme.saas.example: every link that is seen holds"), "{all}");
    let (acme, _) = demo.run(0, &["reach", "acme"]);
    for line in [
        "  ✓ rule       Ingress acme/acme leads acme.saas.example/ there",
        "  ✓ class      class nginx of k8s.io/ingress-nginx",
        "  ? TLS        its certificate is in Secret acme/acme-tls, which is not read",
        "  ✓ service    port http (80) of Service acme/acme",
    ] {
        assert!(acme.lines().any(|told| told == line), "{line}: {acme}");
    }
    let json = demo.json(0, &["reach", "acme", "-o", "json"]);
    let tenant = &json["tenants"][0];
    assert_eq!((&tenant["tenant"], &tenant["broken"]), (&"acme".into(), &Value::Null));
    assert_eq!(tenant["routes"][0]["links"][0]["part"], "rule");
    assert_eq!(json["sources"]["ingresses"]["state"], "live");
    assert_eq!(json["sources"]["httproutes"]["state"], "absent");
    let (_, said) = demo.run(1, &["reach", "acmee"]);
    assert!(said.contains("acme"), "{said}");
}

#[test]
fn a_stolen_host_takes_its_tenant_down_in_every_view() {
    let demo = Demo::cluster("--speed 1 --scenario host-stolen --seed 7 --tenants 4 --nodes 3");
    let (acme, _) = demo.run(0, &["reach", "acme"]);
    let text = "which claims it too and is older";
    assert!(
        acme.lines()
            .next()
            .is_some_and(|line| line.starts_with("acme: acme.saas.example: requests go to Ingress globex/")
                && line.ends_with(text)),
        "{acme}"
    );
    assert!(
        acme.contains("→ take acme.saas.example out of one of the two: `kubectl -n acme edit ingress acme`"),
        "{acme}"
    );
    let (check, _) = demo.run(2, &["check"]);
    assert!(check.contains("acme"), "{check}");
    let status = demo.json(0, &["status", "-o", "json"]);
    assert_eq!(status["tenants"]["degraded"], 1, "{status}");
    let mut terminal = demo.home.terminal(&demo.on(&[]), 80, 24);
    terminal.wait_for("host ");
    terminal.keys("\r");
    terminal.wait_for("Reach 1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_of_the_embedded_cluster_follow_the_pods_and_a_calm_world_has_whole_ways() {
    let cluster = still(4, Scenario::Calm).await;
    let mut seen = world::Seen::of(&cluster.kubeconfig()).await;
    let all = |s: &Snapshot| s.outside_sources().iter().all(|(_, f)| **f != Freshness::Connecting);
    let snapshot = seen.wait("what leads to tenants", |s| s.is_ready() && all(s)).await;
    assert_eq!((snapshot.ingresses.len(), snapshot.ingress_classes.len()), (4, 1));
    assert!(snapshot.http_routes.freshness.is_absent() && snapshot.certificates.freshness.is_absent());
    for tenant in snapshot.tenants.values() {
        let chain = Chain::of(&snapshot, tenant);
        assert!(chain.broken().is_none() && chain.routes.len() == 1, "{}: {}", tenant.name, chain.sentence());
    }
    cluster.with_world(|world| {
        world.store.update(Stored::SERVICE, "acme", "acme", "test", |service| {
            service["spec"]["ports"][0]["name"] = "web".into();
        });
    });
    let broken = |s: &Snapshot| chain(s, "acme").broken().map(|(_, link)| link.text.clone());
    // Its endpoints may be seen before it.
    let text = "Service acme/acme has no port http, only web (80)";
    let snapshot = seen.wait("the port", |s| broken(s).as_deref() == Some(text)).await;
    assert!(told(&snapshot).iter().any(|f| f.0 == "unreachable" && f.2 == Severity::Critical));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_read_is_told_by_the_command_and_is_no_fault_of_the_tenants() {
    let cluster = still(3, Scenario::Calm).await;
    let mut rights = vec![AccessRule::new(&["get", "list", "watch"], &["*"], None)];
    rights[0].resources =
        ["pods", "services", "nodes", "namespaces", "deployments.apps", "statefulsets.apps"]
            .map(str::to_owned)
            .into();
    let token = cluster.users().add("narrow", &rights);
    let kubeconfig = cluster.kubeconfig_for(&token);
    let (table, json) = tokio::task::spawn_blocking(move || {
        let home = Home::new();
        let path = home.path("kubeconfig").display().to_string();
        std::fs::write(&path, kubeconfig).expect("a file");
        let table = home.run(&["--kubeconfig", &path, "reach", "acme"]);
        (table, home.run(&["--kubeconfig", &path, "reach", "-o", "json"]))
    })
    .await
    .expect("it ends");
    let told = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.status.success(), "{told}{}", String::from_utf8_lossy(&table.stderr));
    assert!(told.contains("acme: what leads to it is not known: Ingresses are not read"), "{told}");
    assert!(
        told.contains("▲ ingresses: needs list and watch on ingresses.networking.k8s.io at cluster scope"),
        "{told}"
    );
    assert!(!told.contains("httproutes"), "what is not installed is not missing: {told}");
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["sources"]["ingresses"]["state"], "missing");
    assert_eq!(json["sources"]["httproutes"]["state"], "absent");
    assert_eq!(NOT_INSTALLED, "not installed");
}
