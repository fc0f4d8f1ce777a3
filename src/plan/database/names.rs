//! What people call the backends and members of a plan.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

/// Addresses, and what people call who listens there. Kept with the plan: a run is told in the same words later, when
/// its members may be gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Names(BTreeMap<Arc<str>, Arc<str>>);

impl Names {
    /// `db3`; an address nobody has another name for is its own.
    pub fn of<'a>(&'a self, address: &'a str) -> &'a str {
        self.0.get(address).map_or(address, |name| name)
    }

    /// `db3`, or `db3 (10.0.0.3:3306)` where the address says something the name does not: for what is written there.
    pub fn full(&self, address: &str) -> String {
        let name = self.of(address);
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        match name == address || name == host {
            true => name.to_owned(),
            false => format!("{name} ({address})"),
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Arc<str>, Arc<str>)> for Names {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Arc<str>)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_added_where_it_says_more_than_the_name() {
        let names: Names = [("db3:3306", "db3"), ("10.0.0.4:3306", "db4")]
            .map(|(a, n)| (a.into(), n.into()))
            .into_iter()
            .collect();
        assert_eq!(
            (names.of("10.0.0.4:3306"), names.full("10.0.0.4:3306")),
            ("db4", "db4 (10.0.0.4:3306)".into())
        );
        assert_eq!((names.of("db3:3306"), names.full("db3:3306")), ("db3", "db3".into()));
        assert_eq!((names.of("x:1"), names.full("x:1")), ("x:1", "x:1".into()));
    }
}
