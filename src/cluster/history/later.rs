//! What a memory of measurements holds otherwise than an earlier one: for recordings. Pure.

use serde::{Deserialize, Serialize};

use super::{Growth, History, Hour, Kept, Ring, Trend};
use crate::cluster::{Memory, TenantName, pack::pack};

/// What a sample is made of.
const NUMBERS: usize = 5;

/// What a memory holds otherwise than an earlier one: columns over all tenants, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::cluster) struct Later {
    /// The tenants, where they are others than before.
    names: Option<Vec<TenantName>>,
    /// Of each tenant: so many of its oldest samples are gone, so many after them are the same, so many are new.
    gone: Vec<u8>,
    same: Vec<u8>,
    new: Vec<u8>,
    /// Each number of the new samples, less that of the sample before it, in units of the first.
    columns: [(u64, Vec<i64>); NUMBERS],
    /// What else differs: the place of the tenant, and its forecast.
    forecasts: Vec<(u32, Option<Growth>)>,
    /// Its hours: the place of the tenant, how many of the oldest are the same, and how many follow.
    hours: Vec<(u32, u8, u8)>,
    /// What those that follow say, less what the hour at their place said before: first, last, least, most.
    of_hours: [Vec<i64>; 4],
}

impl Hour {
    fn numbers(&self) -> [i64; 4] {
        [self.from, self.to, self.least, self.most].map(i64::from)
    }

    fn of_numbers(numbers: [i64; 4]) -> Self {
        let [from, to, least, most] = numbers.map(|n| n as u32);
        Self { from, to, least, most }
    }
}

impl Kept {
    fn numbers(&self) -> [i64; NUMBERS] {
        let Self { used, at, containers, least, most } = *self;
        [at.into(), used.0 as i64, containers.into(), least.into(), most.into()]
    }

    fn of([at, used, containers, least, most]: [i64; NUMBERS]) -> Self {
        let [at, containers, least, most] = [at, containers, least, most].map(|n| n as u32);
        Self { used: Memory(used as u64), at, containers, least, most }
    }
}

impl History {
    /// What it holds otherwise than `before`.
    pub(in crate::cluster) fn since(&self, before: &Self) -> Later {
        let mut later = Later::default();
        if !self.rings.keys().eq(before.rings.keys()) {
            later.names = Some(self.rings.keys().cloned().collect());
        }
        let nothing = Ring::default();
        let small = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
        for (place, (name, ring)) in (0..).zip(&self.rings) {
            let old = before.rings.get(name).unwrap_or(&nothing);
            let first = ring.samples.first();
            let gone =
                old.samples.iter().position(|sample| Some(sample) == first).unwrap_or(old.samples.len());
            let same = old.samples[gone..].iter().zip(&ring.samples).take_while(|(a, b)| a == b).count();
            later.gone.push(small(gone));
            later.same.push(small(same));
            later.new.push(small(ring.samples.len() - same));
            let mut last = same.checked_sub(1).map_or([0; NUMBERS], |last| ring.samples[last].numbers());
            for sample in &ring.samples[same..] {
                let numbers = sample.numbers();
                for ((column, now), was) in later.columns.iter_mut().zip(numbers).zip(last) {
                    column.1.push(now.wrapping_sub(was));
                }
                last = numbers;
            }
            if ring.forecast != old.forecast {
                later.forecasts.push((place, ring.forecast));
            }
            // The hours that are over stay as they are; when the oldest goes, all are told again.
            let same = old.hours.iter().zip(&ring.hours).take_while(|(a, b)| a == b).count();
            if same < ring.hours.len() || old.hours.len() != ring.hours.len() {
                later.hours.push((place, small(same), small(ring.hours.len() - same)));
                for (hour, now) in ring.hours.iter().enumerate().skip(same) {
                    let was = old.hours.get(hour).map_or([0; 4], Hour::numbers);
                    for ((column, now), was) in later.of_hours.iter_mut().zip(now.numbers()).zip(was) {
                        column.push(now.wrapping_sub(was));
                    }
                }
            }
        }
        for (unit, column) in &mut later.columns {
            *unit = pack(column);
        }
        later
    }

    /// Takes in what a later one holds otherwise. Its trends are worked out by [`Self::settle`].
    pub(in crate::cluster) fn take(&mut self, later: Later) {
        let Later { names, gone, same, new, columns, forecasts, hours, of_hours } = later;
        if let Some(names) = names {
            let mut rings = std::mem::take(&mut self.rings);
            self.rings = names
                .into_iter()
                .map(|name| (name.clone(), rings.remove(&name).unwrap_or_default()))
                .collect();
        }
        let mut columns =
            columns.map(|(unit, column)| column.into_iter().map(move |n| n.wrapping_mul(unit as i64)));
        let counts = gone.into_iter().zip(same).zip(new);
        for (ring, ((gone, same), new)) in self.rings.values_mut().zip(counts) {
            ring.samples.drain(..usize::from(gone).min(ring.samples.len()));
            ring.samples.truncate(same.into());
            let mut last = ring.samples.last().map_or([0; NUMBERS], Kept::numbers);
            for _ in 0..new {
                for (number, column) in last.iter_mut().zip(&mut columns) {
                    *number = number.wrapping_add(column.next().unwrap_or(0));
                }
                ring.samples.push(Kept::of(last));
            }
        }
        let mut of_hours = of_hours.map(Vec::into_iter);
        let (mut forecasts, mut hours) = (forecasts.into_iter().peekable(), hours.into_iter().peekable());
        for (place, ring) in (0..).zip(self.rings.values_mut()) {
            if let Some((_, forecast)) = forecasts.next_if(|(of, _)| *of == place) {
                ring.forecast = forecast;
            }
            if let Some((_, same, new)) = hours.next_if(|(of, ..)| *of == place) {
                let old = ring.hours.split_off(usize::from(same).min(ring.hours.len()));
                for hour in 0..usize::from(new) {
                    let mut numbers = old.get(hour).map_or([0; 4], Hour::numbers);
                    for (number, column) in numbers.iter_mut().zip(&mut of_hours) {
                        *number = number.wrapping_add(column.next().unwrap_or(0));
                    }
                    ring.hours.push(Hour::of_numbers(numbers));
                }
            }
        }
    }

    /// Works all trends out.
    pub(in crate::cluster) fn settle(&mut self) {
        self.rings.values_mut().for_each(|ring| ring.trend = Trend::of(&ring.samples));
    }
}
