//! Kinds that an extension of the API server brings: what is not installed and what is not allowed are told apart.

use wheelhouse::{cluster::Snapshot, live::Scope};

use super::server::{Act, Server, refusal};

const ROUTES: &str = "/apis/gateway.networking.k8s.io/v1/httproutes";
const DISCOVERY: &str = "/apis/gateway.networking.k8s.io/v1";

/// As a real server answers for a group it does not serve: no Status, a line of text.
fn nowhere() -> Act {
    Act::Say(404, include_str!("../../captures/platform/kubernetes/crd_absent.json").to_owned())
}

fn forbidden() -> Act {
    refusal(
        403,
        "Forbidden",
        "httproutes.gateway.networking.k8s.io is forbidden: User \"x\" cannot list resource",
    )
}

async fn routes_seen(server: &Server) -> std::sync::Arc<Snapshot> {
    let mut seen = server.observe(Scope::default());
    let told = |s: &Snapshot| s.http_routes.freshness.trouble().is_some() && s.ingresses.freshness.is_live();
    seen.until("what is said of HTTPRoutes", told).await
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_served_is_absent_and_no_trouble() {
    let server = Server::default();
    server.then(ROUTES, nowhere());
    let seen = routes_seen(&server).await;
    assert!(seen.http_routes.freshness.is_absent(), "{:?}", seen.http_routes.freshness);
    assert!(seen.troubles().is_empty() || seen.troubles().iter().all(|(name, _)| name.contains("metrics")));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_refused_is_looked_for_in_discovery() {
    // The server refuses what it does not serve as well.
    let server = Server::default();
    server.then(ROUTES, forbidden());
    server.then(DISCOVERY, nowhere());
    let seen = routes_seen(&server).await;
    assert!(seen.http_routes.freshness.is_absent(), "{:?}", seen.http_routes.freshness);

    let server = Server::default();
    server.then(ROUTES, forbidden());
    server.then("/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes", forbidden());
    server.then(DISCOVERY, Act::Say(200, r#"{"kind":"APIResourceList","resources":[]}"#.to_owned()));
    let seen = routes_seen(&server).await;
    assert_eq!(
        seen.http_routes.freshness.trouble(),
        Some("needs list and watch on httproutes.gateway.networking.k8s.io at cluster scope")
    );
    assert!(!seen.http_routes.freshness.is_absent());
}
