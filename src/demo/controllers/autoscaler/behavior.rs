//! How fast an autoscaler may go: its `behavior`, with kube-controller-manager's defaults.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::value::{int, list, text};
use crate::world::Scaling;

/// `--horizontal-pod-autoscaler-downscale-stabilization`.
const STABLE: i64 = 300;
/// The longest period and window that the API lets through.
const LONGEST: SignedDuration = SignedDuration::from_secs(3600);

/// The replicas of `recommended` that the behavior lets through now. Remembers the recommendation.
pub(super) fn allowed(
    autoscaler: &Value,
    memory: &mut Scaling,
    current: i64,
    recommended: i64,
    now: Timestamp,
) -> i64 {
    memory.recommended.retain(|(at, _)| now.duration_since(*at) <= LONGEST);
    memory.recommended.push((now, recommended));
    memory.changed.retain(|(at, _)| now.duration_since(*at) <= LONGEST);
    let rules = &autoscaler["spec"]["behavior"];
    let since = |direction: &str, default: i64| {
        let seconds = rules[direction]["stabilizationWindowSeconds"].as_i64().unwrap_or(default);
        now.checked_sub(SignedDuration::from_secs(seconds.clamp(0, 3600))).unwrap_or(now)
    };
    let within = |from: Timestamp| memory.recommended.iter().filter(move |(at, _)| *at >= from);
    // Upwards counts the least of its window, downwards the most of its own; in between it stays.
    let up = within(since("scaleUp", 0)).map(|(_, replicas)| *replicas).min().unwrap_or(recommended);
    let down = within(since("scaleDown", STABLE)).map(|(_, replicas)| *replicas).max().unwrap_or(recommended);
    let stable = if current < up { up } else { current.min(down) };
    if stable > current {
        let default = json!([{"type": "Percent", "value": 100, "periodSeconds": 15}, {"type": "Pods", "value": 4, "periodSeconds": 15}]);
        limit(&rules["scaleUp"], &default, memory, current, now, true)
            .map_or(current, |most| stable.min(most))
    } else if stable < current {
        let default = json!([{"type": "Percent", "value": 100, "periodSeconds": 15}]);
        limit(&rules["scaleDown"], &default, memory, current, now, false)
            .map_or(current, |least| stable.max(least))
    } else {
        stable
    }
}

/// How far the policies of a direction let it go; None when they forbid it.
fn limit(
    rules: &Value,
    default: &Value,
    memory: &Scaling,
    current: i64,
    now: Timestamp,
    up: bool,
) -> Option<i64> {
    let choice = text(&rules["selectPolicy"]);
    if choice == "Disabled" {
        return None;
    }
    let policies = if rules["policies"].is_array() { &rules["policies"] } else { default };
    let limits = list(policies).map(|policy| {
        let period = SignedDuration::from_secs(int(&policy["periodSeconds"]).clamp(1, 3600));
        let recent = memory.changed.iter().filter(|(at, _)| now.duration_since(*at) < period);
        let moved: i64 = recent.map(|(_, by)| *by).filter(|by| (*by > 0) == up).sum();
        let start = current - moved;
        let value = int(&policy["value"]);
        match (policy["type"] == "Pods", up) {
            (true, true) => start + value,
            (true, false) => start - value,
            (false, true) => (start as f64 * (1.0 + value as f64 / 100.0)).ceil() as i64,
            (false, false) => (start as f64 * (1.0 - value as f64 / 100.0)) as i64,
        }
    });
    let widest = choice != "Min";
    if widest == up { limits.max() } else { limits.min() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn upwards_it_doubles_or_adds_four_in_a_period() {
        let plain = json!({"spec": {}});
        let mut memory = Scaling::default();
        assert_eq!(allowed(&plain, &mut memory, 2, 20, at(0)), 6);
        memory.changed.push((at(0), 4));
        assert_eq!(allowed(&plain, &mut memory, 6, 20, at(5)), 6, "within the period");
        assert_eq!(allowed(&plain, &mut memory, 6, 20, at(15)), 12);
    }

    #[test]
    fn downwards_it_waits_for_its_window() {
        let plain = json!({"spec": {}});
        let mut memory = Scaling::default();
        assert_eq!(allowed(&plain, &mut memory, 6, 6, at(0)), 6);
        assert_eq!(allowed(&plain, &mut memory, 6, 2, at(60)), 6);
        assert_eq!(allowed(&plain, &mut memory, 6, 2, at(301)), 2);
    }

    #[test]
    fn a_direction_that_is_disabled_stays_where_it_is() {
        let held = json!({"spec": {"behavior": {"scaleUp": {"selectPolicy": "Disabled"}, "scaleDown": {"selectPolicy": "Disabled"}}}});
        let mut memory = Scaling::default();
        assert_eq!(allowed(&held, &mut memory, 2, 9, at(0)), 2);
        assert_eq!(allowed(&held, &mut memory, 9, 1, at(4000)), 9);
    }
}
