//! A joiner that takes a full copy, held open: what is said of both sides, and what is refused meanwhile.

use tokio::runtime::Handle;
use wheelhouse::run::RunState;

use super::{
    acts::{Operator, apart, desync, is_desynced, refusals, resync, said},
    eye::Eye,
    lab::{ACTING, Lab},
};
use crate::session::Ground;

/// The third member joins with nothing, and the second gives it a full copy.
pub async fn held(lab: &mut Lab, eye: &mut Eye) {
    let runtime = Handle::current();
    apart(|| {
        let ground = Ground::new();
        let alice = Operator::at(&ground, "alice@bastion", lab, ACTING);
        // Plans that were good when they were made.
        runtime.block_on(lab.run(2, "SET GLOBAL wsrep_desync=ON"));
        alice.until_states("desynced", &["synced", "desynced by hand", "down"]);
        let clear = alice.plan(resync(lab, 2));
        runtime.block_on(lab.run(2, "SET GLOBAL wsrep_desync=OFF"));
        alice.until_states("two of three", &["synced", "synced", "down"]);
        let early = alice.plan(desync(lab, 2));
        assert_eq!((refusals(&clear), refusals(&early)), (String::new(), String::new()));

        lab.hold_transfers(true);
        lab.start(3, &["--wsrep_sst_method=held", "--wsrep_sst_donor=db2"]);
        let third = lab.name(3);
        let donor = format!("donor (to {third})");
        let copies = ["synced", &donor, "joining"];
        runtime.block_on(eye.until_states("a full copy is told on both sides", &copies));
        assert_eq!(eye.meaning(2), format!("gives its state to {third}; it serves meanwhile, slower"));
        assert_eq!(
            eye.meaning(3),
            "fetches what it missed from db2, or a full copy if it has lost its position; SQL is not open yet"
        );

        // Nothing is desynced meanwhile, neither the donor nor the other.
        alice.until_states("the same in the other cockpit", &copies);
        let wait = format!("db2 is {donor}, {third} is joining: wait until the transfer is over");
        for node in [1, 2] {
            let refused = alice.plan(desync(lab, node));
            assert!(refusals(&refused).contains(&wait), "{}", refusals(&refused));
        }
        let run = alice.run(early);
        assert_eq!(run.state, RunState::Paused);
        // As it is seen, or by its own word where it was not seen yet.
        let told = ["is donor ", "donates to another member"].iter().any(|words| said(&run).contains(words));
        assert!(told && said(&run).contains("nothing was written"), "{run:?}");
        assert!(!is_desynced(lab, &runtime, 2));

        // Desynced by hand as well: it still donates, and is not resynced before that is over.
        runtime.block_on(lab.run(2, "SET GLOBAL wsrep_desync=ON"));
        let twice =
            |d: &wheelhouse::cluster::Database| d.members[1].now().is_some_and(|s| s.desync_count == 2);
        alice.until("desynced for two reasons", twice);
        runtime.block_on(eye.until("the same here", |eye| twice(&eye.database())));
        assert_eq!((eye.state(2), eye.state(3)), (donor.clone(), "joining".to_owned()));
        let refused = refusals(&alice.plan(resync(lab, 2)));
        let why = format!(
            "db2 is {donor} for 2 reasons: it is desynced by more than a hand, wait until the transfer is over"
        );
        assert!(refused.contains(&why), "{refused}");
        let run = Operator::at(&Ground::new(), "bob@bastion", lab, ACTING).run(clear);
        assert_eq!(run.state, RunState::Paused);
        assert!(said(&run).contains("nothing was written"), "{run:?}");
        assert!(is_desynced(lab, &runtime, 2));
        runtime.block_on(lab.run(2, "SET GLOBAL wsrep_desync=OFF"));
        lab.hold_transfers(false);
    });
}
