//! What is refused, in a sentence, with nothing written.

use super::*;

fn refused(session: &Session, migration: Migration, words: &str) {
    let made = made(session, migration);
    let why: Vec<_> = made.refusals().map(|c| c.text.clone()).collect();
    assert!(why.iter().any(|text| text.contains(words)), "{words}: {why:?} {made}");
    assert!(made.approve(None, None).is_err());
}

#[test]
fn what_cannot_be_migrated_says_why() {
    let ground = Ground::new();
    plain(&ground);
    let alice = ground.session("alice@bastion");
    let it = migration;
    for (wanted, words) in [
        (Migration { tenant: "acne".into(), ..it() }, "did you mean acme"),
        (Migration { container: Some("fpm".into()), ..it() }, "has no container fpm, it has nginx, php-fpm"),
        (Migration { command: Some("  ".into()), ..it() }, "--command names no command"),
        (Migration { otherwise: String::new(), ..it() }, "[migrations] command names no command"),
        (Migration { command: Some("php 'x".into()), ..it() }, "a quote without its end"),
        (Migration { image: Some("2.5 0".into()), ..it() }, "`2.5 0` is no tag of an image"),
        (Migration { image: Some("".into()), ..it() }, "is no tag of an image"),
        (Migration { keep: 0, ..it() }, "with 0 nobody is served"),
    ] {
        refused(&alice, wanted, words);
    }
    let fine = made(&alice, it());
    assert_eq!(fine.refusals().count(), 0, "{fine}");
    let missing = made(&alice, Migration { image: Some("9.9.9".into()), ..it() });
    let said: Vec<_> = missing.all_checks().filter(|c| c.rule == "image").collect();
    assert!(
        said.iter().any(|c| c.verdict == Verdict::Warn && c.text.contains("asks its registry")),
        "{said:?}"
    );
    let known = made(&alice, it());
    let said = known.all_checks().find(|c| c.rule == "image").expect("a check");
    assert!(said.verdict == Verdict::Ok && said.text.contains("exists"), "{said:?}");
    assert_eq!((pods_of_jobs(&ground), alice.runs().len()), (0, 0));
}

#[test]
fn a_parked_a_paused_and_a_rolling_tenant_are_not_migrated() {
    let ground = Ground::new();
    plain(&ground);
    let alice = ground.session("alice@bastion");
    let change = |field: &str, value: Value| {
        ground.cluster.with_world(|w| {
            w.store
                .update(Kind::DEPLOYMENT, TENANT, TENANT, "somebody", |d| d["spec"][field] = value)
                .expect("it is there");
        });
    };
    let seen = |so: &dyn Fn(&wheelhouse::cluster::Workload) -> bool| {
        alice.until("the change", |s| so(&s.tenants[&TenantName::from(TENANT)].workload));
    };
    change("replicas", 0.into());
    seen(&|w| w.desired == 0);
    refused(&alice, migration(), "is parked with 0 replicas");
    change("replicas", 3.into());
    change("paused", true.into());
    ground.step(60);
    seen(&|w| w.desired == 3 && w.paused);
    refused(&alice, migration(), "is paused: resume it first");
    change("paused", false.into());
    ground.cluster.with_world(|w| {
        w.store
            .update(Kind::DEPLOYMENT, TENANT, TENANT, "somebody", |d| {
                d["spec"]["template"]["metadata"]["annotations"]["x"] = "y".into();
            })
            .expect("it is there");
    });
    seen(&|w| w.is_rolling());
    refused(&alice, migration(), "a rollout is under way");
}

#[test]
fn a_tool_that_would_revert_the_drop_is_named_and_refused_unless_told_otherwise() {
    let ground = Ground::new();
    plain(&ground);
    let alice = ground.session("alice@bastion");
    ground.cluster.with_world(|w| {
        w.store
            .update(Kind::DEPLOYMENT, TENANT, TENANT, "argocd-controller", |d| {
                d["metadata"]["labels"]["argocd.argoproj.io/instance"] = "acme-prod".into();
                d["spec"]["replicas"] = 2.into();
            })
            .expect("it is there");
    });
    alice.until("its owner", |s| {
        let tenant = &s.tenants[&TenantName::from(TENANT)];
        tenant.desired() == 2 && tenant.workload.gitops.as_ref().is_some_and(|g| &*g.tool == "Argo CD")
    });
    refused(&alice, migration(), "argocd app set acme-prod --sync-policy none");
    let told = made(&alice, Migration { gitops_paused: true, ..migration() });
    assert_eq!(told.refusals().count(), 0, "{told}");
    // Who drops nothing has nothing reverted.
    let whole = made(&alice, Migration { keep: 2, ..migration() });
    assert_eq!(whole.refusals().count(), 0, "{whole}");
}

#[test]
fn a_quota_that_lets_no_job_in_is_found_while_nothing_has_moved() {
    let ground = Ground::new();
    plain(&ground);
    let alice = ground.session("alice@bastion");
    ground.cluster.with_world(|w| {
        w.store.insert(
            kind("resourcequotas"),
            json!({ "metadata": { "namespace": TENANT, "name": "no-jobs" }, "spec": { "hard": { "count/jobs.batch": "0" } },
                "status": { "hard": { "count/jobs.batch": "0" }, "used": { "count/jobs.batch": "0" } } }),
        );
    });
    ground.step(5);
    let made = planned(&alice, &intent(migration()));
    let rehearsal = alice.block("a rehearsal", rehearse(&alice.access, &made));
    let refused = rehearsal.checks.iter().find(|c| c.verdict == Verdict::Refuse);
    assert!(refused.is_some_and(|c| c.text.contains("exceeded quota")), "{:?}", rehearsal.checks);
}

#[test]
fn the_load_that_one_pod_must_carry_is_told() {
    let ground = Ground::new();
    plain(&ground);
    let alice = ground.session("alice@bastion");
    let made = made(&alice, migration());
    let load = made.all_checks().find(|c| c.rule == "load").expect("a check of the load");
    assert!(load.text.contains("can take") || load.text.contains("not measured"), "{load:?}");
}
