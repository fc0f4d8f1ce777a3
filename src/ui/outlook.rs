//! What is predicted of the cluster. It is worked out beside the event loop, so that no key waits for it, and may be a
//! moment older than what is shown: it knows the snapshot it rests on.

use std::sync::Arc;

use crate::{
    cluster::{NodeName, Snapshot, TenantName},
    plan::{
        Fitting, fits,
        whatif::{Forecast, Harm, Loss, WhatIf},
    },
};

/// What a view wants to have worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What happens if these nodes are lost.
    WhatIf(Vec<NodeName>, Loss),
    /// How many more replicas of this tenant fit.
    Fits(TenantName),
}

/// What was worked out on one snapshot.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// What it rests on.
    pub seen: Arc<Snapshot>,
    /// The ready nodes, the one whose loss does most harm first. Empty where that is not known.
    pub ranking: Vec<Harm>,
    /// Why nothing of this is known, if so.
    pub unknown: Option<String>,
    /// What else was asked.
    pub question: Option<Question>,
    /// The answer, if that was a what-if.
    pub what_if: Option<WhatIf>,
    /// The answer, if it was about replicas of a tenant that is there.
    pub fits: Option<Fitting>,
}

impl Outlook {
    /// Works it out: up to a tenth of a second for a large cluster. What the forecast holds of the last time is used.
    pub fn of(forecast: &mut Forecast, seen: Arc<Snapshot>, question: Option<Question>) -> Self {
        let (ranking, unknown) = match forecast.worst(&seen) {
            Ok(ranking) => (ranking.to_vec(), None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let (mut what_if, mut fitting) = (None, None);
        match &question {
            Some(Question::WhatIf(nodes, loss)) => what_if = forecast.what_if(&seen, nodes, *loss).ok(),
            Some(Question::Fits(name)) => {
                fitting = seen.tenants.get(name).and_then(|t| fits(&seen, t, None).ok())
            }
            None => {}
        }
        Self { seen, ranking, unknown, question, what_if, fits: fitting }
    }

    /// Whether it would come out the same on that snapshot.
    pub fn holds(&self, seen: &Snapshot) -> bool {
        Forecast::holds(&self.seen, seen)
    }

    /// The harm of losing a node.
    pub fn harm(&self, node: &NodeName) -> Option<&Harm> {
        self.ranking.iter().find(|h| h.node == *node)
    }
}
