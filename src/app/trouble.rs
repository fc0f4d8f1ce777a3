//! The way to the next thing that is wrong.

use jiff::Timestamp;

use super::{App, World};
use crate::{
    cluster::{Severity, Subject, database},
    ui::{
        Place,
        stops::{self, Stop},
    },
};

/// What is said of a stop: the run and how it stands, or the first finding about it.
fn told(world: &World, stop: &Stop) -> String {
    match stop {
        Stop::Run(id) => {
            world.runs.iter().find(|known| known.run.id == *id).map_or_else(String::new, |known| {
                format!("run {} {}: {}", known.run.short(), known.shown(), crate::run::summary(&known.run))
            })
        }
        Stop::Campaign(id) => {
            world.campaigns.iter().find(|known| known.campaign.id == *id).map_or_else(String::new, |known| {
                format!("campaign {} {}: {}", known.campaign.short(), known.shown(), known.campaign.goal)
            })
        }
        Stop::About(subject) => {
            let text = world.findings.iter().find(|f| f.subject == *subject).map_or("", |f| &f.text);
            format!("{}: {text}", database::subject(&world.seen, subject))
        }
    }
}

/// To the next thing that is wrong: a run that waits for an operator, then each finding's row, wherever that is. Several
/// findings about one thing are one stop.
pub(super) fn trouble(app: &mut App, now: Timestamp) {
    let front = app.views.front();
    let here = front.subject().filter(|_| app.views.stack.is_empty());
    let world = &app.world;
    let waiting = stops::waiting(&world.campaigns, &world.runs, &world.seen);
    let Some(next) = stops::next(waiting, &world.findings, world.stop.as_ref(), here.as_deref()) else {
        let text = world.seen.nothing_wrong_so_far().unwrap_or_else(|| "nothing is wrong".into());
        return app.say(Severity::Notice, text, now);
    };
    let text = told(world, &next);
    app.world.stop = Some(next.clone());
    let (root, place) = match next {
        Stop::Run(id) => (Place::Runs, Place::Run(id)),
        Stop::Campaign(id) => (Place::Runs, Place::Campaign(id)),
        Stop::About(Subject::Tenant(name)) => (Place::Tenants, Place::Tenant(name)),
        Stop::About(Subject::Node(name)) => (Place::Nodes, Place::Node(name)),
        Stop::About(Subject::Member(name)) => (Place::Database, Place::Member(name)),
        Stop::About(Subject::Proxy(name)) => (Place::Database, Place::Proxy(name)),
        Stop::About(Subject::Component(key)) => (Place::Platform, Place::Component(key)),
        Stop::About(Subject::Source(name)) if name == "galera" || name == "proxysql" => {
            (Place::Database, Place::Database)
        }
        Stop::About(Subject::Source(_)) => (Place::Findings, Place::Findings),
    };
    app.views.go(&root);
    app.refresh(now);
    let cx = app.world.cx(now);
    app.views.front_mut().select(&place, &cx);
    app.say(Severity::Notice, text, now);
}
