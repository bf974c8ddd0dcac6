//! A map for what mostly holds one or a few: it takes no memory for what is not there.

/// Values in the order of their keys. Each has a place of its own, so that thousands can move up, too.
#[derive(Debug)]
pub(crate) struct Few<K, V>(Vec<(K, Box<V>)>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord + Copy, V> Few<K, V> {
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, key: K) -> bool {
        self.find(key).is_ok()
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.find(key).ok().map(|at| &*self.0[at].1)
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.find(key).ok().map(|at| &mut *self.0[at].1)
    }

    /// What was there before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(key) {
            Ok(at) => Some(std::mem::replace(&mut *self.0[at].1, value)),
            Err(at) => {
                self.insert_at(at, key, value);
                None
            }
        }
    }

    pub(crate) fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        let at = self.find(key).unwrap_or_else(|at| {
            self.insert_at(at, key, value());
            at
        });
        &mut self.0[at].1
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let (_, value) = self.0.remove(self.find(key).ok()?);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        Some(*value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(key, value)| (*key, &**value))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| &**value)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| &mut **value)
    }

    fn insert_at(&mut self, at: usize, key: K, value: V) {
        if self.0.is_empty() {
            self.0.reserve_exact(1);
        }
        self.0.insert(at, (key, Box::new(value)));
    }

    fn find(&self, key: K) -> Result<usize, usize> {
        // Most keys are times, and what comes is later than what is there.
        if self.0.last().is_none_or(|(last, _)| *last < key) {
            return Err(self.0.len());
        }
        self.0.binary_search_by_key(&key, |(key, _)| *key)
    }
}
