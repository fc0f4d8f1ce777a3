//! What a program in a container that is not to run for ever does: for how long it runs, and how it ends.

use jiff::SignedDuration;
use serde_json::Value;

use crate::value::{list, text};
use crate::world::World;

/// The annotations of a pod that say it: `3s`, `2m`; an exit code.
const AFTER: &str = "demo.wheelhouse.dev/exit-after";
const CODE: &str = "demo.wheelhouse.dev/exit-code";

/// How long the container runs and with what code it ends: as the pod's annotations say, or as its words do (`sleep 30`,
/// `exit 1`), or some seconds, and well.
pub(super) fn course(world: &mut World, pod: &Value, container: &Value) -> (SignedDuration, i32) {
    let annotations = &pod["metadata"]["annotations"];
    let words: Vec<&str> = list(&container["command"])
        .chain(list(&container["args"]))
        .flat_map(|word| text(word).split([' ', ';', '&']))
        .collect();
    let after = |word: &str| {
        let at = words.iter().position(|other| *other == word)?;
        words.get(at + 1)?.parse::<i64>().ok()
    };
    let told: Option<SignedDuration> = humantime::parse_duration(text(&annotations[AFTER]))
        .ok()
        .and_then(|told| SignedDuration::try_from(told).ok())
        .or_else(|| after("sleep").map(|seconds| SignedDuration::from_secs(seconds.max(0))));
    let fails = words.contains(&"false") || words.iter().any(|word| word.contains("fail"));
    let code = text(&annotations[CODE])
        .parse()
        .ok()
        .or_else(|| after("exit").and_then(|code| i32::try_from(code).ok()))
        .unwrap_or(i32::from(fails));
    let delay = told.unwrap_or_else(|| world.draw_ms(5000, 15_000));
    (delay, code)
}
