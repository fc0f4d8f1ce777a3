//! Numbers in the largest unit that all of them are whole in, for recordings. Pure.

/// Divides numbers by what all of them can be divided by, of a few units. Returns the unit.
pub(super) fn pack(numbers: &mut [i64]) -> u64 {
    let units = [1_000_000_000_i64, 1 << 20, 1_000_000, 1 << 12, 1 << 10];
    let unit = units.into_iter().find(|unit| numbers.iter().all(|n| n % unit == 0)).unwrap_or(1);
    numbers.iter_mut().for_each(|n| *n /= unit);
    unit.unsigned_abs()
}
