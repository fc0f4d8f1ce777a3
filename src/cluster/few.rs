//! A map of a few entries in one small piece of memory: labels, measurements by container.
//!
//! There are tens of thousands of them in a large cluster. A `BTreeMap` takes room for eleven entries for the first one.

use std::{borrow::Borrow, collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A map in the order of its keys. To look something up is quick while it is small; to change it copies all of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Few<K, V>(Box<[(K, V)]>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Few<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K, V> Few<K, V> {
    /// The entries in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> {
        self.0.iter().map(|(k, v)| (k, v))
    }

    /// The keys, in their order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> {
        self.0.iter().map(|(k, _)| k)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.0.iter().map(|(_, v)| v)
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> impl ExactSizeIterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, v)| v)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps the entries for which this holds.
    pub fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        let all = std::mem::take(&mut self.0).into_vec();
        self.0 = all.into_iter().filter(|(k, v)| keep(k, v)).collect();
    }
}

impl<K: Ord, V> Few<K, V> {
    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|i| &self.0[i].1)
    }

    /// There is an entry of that key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).is_ok()
    }

    /// Adds an entry, in place of the one of the same key.
    pub fn insert(&mut self, key: K, value: V) {
        let mut all = std::mem::take(&mut self.0).into_vec();
        match all.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(i) => all[i].1 = value,
            Err(i) => all.insert(i, (key, value)),
        }
        self.0 = all.into_boxed_slice();
    }

    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(k, _)| k.borrow().cmp(key))
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Few<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut all: Vec<_> = entries.into_iter().collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        // Of one key the last counts.
        all.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                std::mem::swap(next, kept);
            }
            same
        });
        Self(all.into_boxed_slice())
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for Few<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K: Ord, V, A: Into<K>, B: Into<V>> From<BTreeMap<A, B>> for Few<K, V> {
    fn from(entries: BTreeMap<A, B>) -> Self {
        entries.into_iter().map(|(k, v)| (k.into(), v.into())).collect()
    }
}

impl<K: Serialize, V: Serialize> Serialize for Few<K, V> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

impl<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Few<K, V> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::<K, V>::deserialize(from)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map() {
        let mut few = Few::from([("b", 2), ("a", 1), ("b", 3)]);
        assert_eq!(few.iter().collect::<Vec<_>>(), [(&"a", &1), (&"b", &3)]);
        assert_eq!((few.get("b"), few.get("c"), few.contains_key("a")), (Some(&3), None, true));
        few.insert("aa", 5);
        few.insert("a", 6);
        assert_eq!(few, Few::from(BTreeMap::from([("a", 6), ("aa", 5), ("b", 3)])));
        few.retain(|key, _| *key != "aa");
        few.values_mut().for_each(|v| *v += 1);
        assert_eq!((few.len(), format!("{few:?}")), (2, r#"{"a": 7, "b": 4}"#.to_owned()));
    }
}
