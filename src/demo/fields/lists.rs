//! The keys by which lists are merged.

use serde_json::Value;

/// The keys that identify an item of a list that is merged and not replaced; None for a list that is
/// replaced as a whole. After the `x-kubernetes-list-map-keys` and `patchMergeKey` of the API.
pub fn list_keys(field: &str, items: &[Value]) -> Option<&'static [&'static str]> {
    let keys = merge_keys(field, &|key| items.iter().any(|i| i.get(key).is_some()))?;
    items.iter().all(Value::is_object).then_some(keys)
}

/// The keys that identify an item of the list `field`, whose items have what `has` says.
pub fn merge_keys(field: &str, has: &dyn Fn(&str) -> bool) -> Option<&'static [&'static str]> {
    Some(match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "secrets"
        | "resourceClaims" => &["name"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "conditions" | "addresses" => &["type"],
        "ownerReferences" => &["uid"],
        "hostAliases" | "podIPs" | "hostIPs" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey"],
        "taints" => &["key", "effect"],
        "ports" if has("containerPort") => &["containerPort"],
        "ports" if has("port") => &["port"],
        _ => return None,
    })
}

/// Whether two items of a merged list are the same item.
pub fn same_item(keys: &[&str], one: &Value, two: &Value) -> bool {
    keys.iter().all(|k| one.get(k) == two.get(k))
}
