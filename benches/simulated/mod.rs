//! The simulated database as benchmarks read it.

use std::{net::SocketAddr, time::Duration};

use jiff::Timestamp;
use secrecy::SecretString;
use wheelhouse::{
    cluster::Observation,
    demo::database::{self, Options},
    live::database::{Endpoints, observe},
    wire::sql::Login,
};

pub const MEMBERS: usize = 5;
pub const PROXIES: usize = 2;

/// What it says, reading by reading, and when, asked so often: first the two that tell what is configured, then of each
/// endpoint about so many.
pub fn readings(every: Duration, rounds: usize) -> Vec<(Timestamp, Observation)> {
    let login = |at: &SocketAddr, (user, password): (&str, &str)| Login {
        host: at.ip().to_string(),
        port: at.port(),
        user: user.into(),
        password: Some(SecretString::from(password)),
        tls: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = Options { members: MEMBERS, proxies: PROXIES, speed: 20.0, ..Options::default() };
        let database = database::start(options).await.expect("the simulated database starts");
        let (members, proxies) = (database.members.iter(), database.proxies.iter());
        let login = &login;
        let (monitor, admin) = (database.credentials.monitor, database.credentials.proxy_admin);
        let endpoints = Endpoints {
            members: members.map(|at| (at.to_string().into(), login(at, monitor))).collect(),
            proxies: proxies.map(|at| (at.to_string().into(), login(at, admin))).collect(),
            every,
        };
        let (tell, mut told) = tokio::sync::mpsc::channel(64);
        let _asking = observe(endpoints, tell);
        let mut all = Vec::new();
        while all.len() < 2 + (MEMBERS + PROXIES) * rounds {
            all.push((Timestamp::now(), told.recv().await.expect("a reading")));
        }
        all
    })
}
