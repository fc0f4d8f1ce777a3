//! What is typed becomes a plan, or one sentence.

use super::*;
use crate::cluster::database::Role;

#[test]
fn numbers_may_count_from_now() {
    let tenants = [("a".into(), 2), ("b".into(), 3)];
    let to = |text: &str| targets(text, &tenants).map(|t| t.iter().map(|t| t.to).collect::<Vec<_>>());
    assert_eq!(to("5"), Ok(vec![5, 5]));
    assert_eq!(to(" +1 "), Ok(vec![3, 4]));
    assert_eq!(to("-3"), Ok(vec![-1, 0]));
    for bad in ["", "x", "1.5", "99999999999999999999", "9000000"] {
        assert!(to(bad).is_err(), "{bad}");
    }
}

fn weight(now: &[u64]) -> Asks {
    let proxy = |(i, n): (usize, &u64)| (format!("p{i}").as_str().into(), *n);
    Asks::Weight {
        member: "db1:3306".into(),
        label: "db1".into(),
        now: now.iter().enumerate().map(proxy).collect(),
        others: vec![("db2".into(), 50, Role::NextWriter), ("db3".into(), 10, Role::Standby)],
    }
}

#[test]
fn a_weight_has_a_range_and_says_who_is_the_heaviest_then() {
    let to = |now: &[u64], text: &str| match weight(now).answer(text) {
        Ok(Action::Plan(Intent::Database { act: DatabaseAct::Weight { weight, .. } })) => Ok(weight),
        Ok(other) => panic!("{other:?}"),
        Err(why) => Err(why),
    };
    assert_eq!((weight(&[100, 100]).filled(), weight(&[100, 60]).filled()), ("100".into(), "".into()));
    assert_eq!((to(&[100], "7"), to(&[100], "-1"), to(&[100], "10000000")), (Ok(7), Ok(99), Ok(10_000_000)));
    for bad in ["0", "-100", "10000001", "x", ""] {
        assert!(to(&[100], bad).is_err(), "{bad}");
    }
    assert!(to(&[100, 60], "+1").is_err_and(|why| why.contains("differs")));
    assert_eq!(weight(&[100]).becomes("20").as_deref(), Some("100 → 20: db2 is the heaviest then"));
    assert_eq!(weight(&[20]).becomes("60").as_deref(), Some("20 → 60: the heaviest then"));
    assert_eq!(weight(&[100]).becomes("60").as_deref(), Some("100 → 60"));
    assert_eq!(weight(&[100]).becomes("x"), None);
}

#[test]
fn a_server_is_an_address_no_proxy_has() {
    let asks =
        Asks::Server { offers: vec![("db4:3306".into(), "new".into())], known: vec!["db1:3306".into()] };
    assert_eq!(asks.filled(), "db4:3306");
    let added = |text: &str| match asks.answer(text) {
        Ok(Action::Plan(Intent::Database { act: DatabaseAct::AddServer { address, like: None } })) => {
            Ok(address.to_string())
        }
        Ok(other) => panic!("{other:?}"),
        Err(why) => Err(why),
    };
    assert_eq!(added(" DB5 "), Ok("db5:3306".into()));
    assert_eq!(added("10.0.0.5:3307"), Ok("10.0.0.5:3307".into()));
    for bad in ["", "db1", "db5:0", "db5:x", ":3306", "a b:1"] {
        assert!(added(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_migration_is_an_image_and_a_command_behind_it() {
    let migration = Box::new(Migrations::default().of("acme".into()));
    let tenants = vec!["acme".into()];
    let asks = Asks::Migrate { tenants, migration, now: "2.4.1".into(), command: "up".into() };
    assert_eq!(asks.filled(), "2.4.1");
    let of = |text: &str| match asks.answer(text) {
        Ok(Action::Plan(Intent::Migrate { migration })) => Ok((migration.image, migration.command)),
        Ok(other) => panic!("{other:?}"),
        Err(why) => Err(why),
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(of("2.4.1"), Ok((None, None)));
    assert_eq!(of(" 2.5.0 "), Ok((some("2.5.0"), None)));
    assert_eq!(of("2.5.0  bin/up --all"), Ok((some("2.5.0"), some("bin/up --all"))));
    assert_eq!(of("2.4.1 bin/up"), Ok((None, some("bin/up"))));
    assert_eq!(of("2.4.1 --gitops-paused --on-failure hold --keep=2 bin/up"), Ok((None, some("bin/up"))));
    assert!(of("--on-failure hold").is_err());
    assert!(of("2.5.0 --on-failure never").is_err_and(|why| why.contains("hold or restore, not `never`")));
    assert!(of("2.5.0 --keep none").is_err_and(|why| why == "--keep wants a number from 1 on"));
    for typed in
        ["2.5.0 --wrong 3", "2.5.0 --max-failure 3", "2.5.0 --parallel 2", "2.5.0 --keep 2 -x bin/up"]
    {
        assert!(of(typed).is_err_and(|why| why.contains("there is no option `-")), "{typed}");
    }
    assert!(of("  ").is_err_and(|why| why.contains("2.4.1")));
    assert_eq!(asks.becomes("2.5.0 up").as_deref(), Some("2.4.1 → 2.5.0, by `up`"));
}

#[test]
fn giving_up_wants_a_reason() {
    let asks = Asks::GiveUp { what: "run", run: "r-1".into(), text: String::new() };
    assert!(asks.answer("  ").is_err());
    assert_eq!(asks.answer(" gone "), Ok(Action::GiveUp("r-1".into(), "gone".into())));
}
