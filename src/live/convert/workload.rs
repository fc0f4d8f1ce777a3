//! Deployments, StatefulSets, ReplicaSets, and who else writes their replicas.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Fault, Interner, Object, count, created, labels, named, pod};
use crate::{
    cluster::{
        Counts, GitOps, Hints, Key, Mounted, Refused, ReplicaSet, Volume, VolumeSource, Workload,
        WorkloadKey, WorkloadKind, image_tag,
    },
    live::slim,
};

pub(super) fn deployment(
    slim: slim::Workload,
    interner: &mut Interner,
) -> Result<Object<Key, Workload>, Fault> {
    workload(WorkloadKind::Deployment, slim, interner)
}

pub(super) fn stateful_set(
    slim: slim::Workload,
    interner: &mut Interner,
) -> Result<Object<Key, Workload>, Fault> {
    workload(WorkloadKind::StatefulSet, slim, interner)
}

/// `progressDeadlineSeconds` where none is given.
const DEADLINE: u32 = 600;

/// Up to how many replicas a rollout may take all pods away before the first new one is ready: the strategy `Recreate`, or
/// as many may be unavailable as there are. A part of a pod does not count, and where neither number comes to a pod, one
/// may be unavailable.
/// Source: `pkg/controller/deployment/util/deployment_util.go` `ResolveFenceposts`.
fn all_gone_up_to(kind: WorkloadKind, strategy: &slim::Rollout) -> u32 {
    if kind == WorkloadKind::StatefulSet {
        return 0;
    }
    if strategy.r#type == "Recreate" {
        return u32::MAX;
    }
    let percent = |text: &str| text.strip_suffix('%').and_then(|n| n.trim().parse::<i64>().ok());
    let unavailable = match &strategy.rolling_update.max_unavailable {
        Some(slim::IntOrText::Int(number)) => u32::try_from(*number).unwrap_or(0),
        Some(slim::IntOrText::Text(text)) if percent(text) >= Some(100) => u32::MAX,
        Some(_) | None => 0,
    };
    let surges = match &strategy.rolling_update.max_surge {
        Some(slim::IntOrText::Int(number)) => *number > 0,
        Some(slim::IntOrText::Text(text)) => percent(text).is_none_or(|percent| percent > 0),
        Some(slim::IntOrText::Float(_)) | None => true,
    };
    unavailable.max(u32::from(!surges))
}

fn workload(
    kind: WorkloadKind,
    slim: slim::Workload,
    interner: &mut Interner,
) -> Result<Object<Key, Workload>, Fault> {
    let slim::Workload { metadata: meta, spec, status } = slim;
    if meta.namespace.is_empty() {
        return Err("metadata.namespace is missing".into());
    }
    let key = Key::new(interner.text(&meta.namespace), interner.text(named(&meta.name)?));
    let stuck = status
        .conditions
        .iter()
        .find(|c| c.r#type == "Progressing" && c.status == "False" && c.reason == "ProgressDeadlineExceeded");
    // A StatefulSet whose two revisions are the same is of one template, whatever its count of updated pods says.
    let of_one_template =
        !status.update_revision.is_empty() && status.update_revision == status.current_revision;
    let gitops = gitops(&meta, interner);
    let scaled = scaled(&meta);
    let migration = meta.annotations.migrate.as_deref().map(|text| interner.text(text));
    let hints = hints(&meta.annotations, &spec.template.spec, interner);
    let failure = status.conditions.iter().find(|c| c.r#type == "ReplicaFailure" && c.status == "True");
    let refused = failure.map(|c| Refused {
        reason: interner.text(&c.reason),
        message: interner.text(&c.message),
        since: c.last_transition_time,
    });
    let claim_templates: Vec<_> =
        spec.volume_claim_templates.iter().map(|t| interner.text(&t.metadata.name)).collect();
    let bound_to = super::given(&spec.template.spec.node_name, interner).map(|name| (&*name).into());
    let mut template = pod::template(spec.template.spec, interner)?;
    // A volume of the same name in the template gives way to the claim.
    template.volumes.retain(|volume| !claim_templates.contains(&volume.name));
    template.volumes.extend(
        claim_templates.iter().map(|name| Volume { name: name.clone(), source: VolumeSource::OwnClaim }),
    );
    let version = meta.resource_version.as_str().into();
    let desired = count(spec.replicas.unwrap_or(1));
    let value = Workload {
        key: WorkloadKey { kind, key: key.clone() },
        uid: meta.uid.into(),
        resource_version: meta.resource_version.into(),
        labels: interner.labels(meta.labels),
        created: created(meta.creation_timestamp)?,
        generation: meta.generation,
        observed_generation: status.observed_generation,
        desired,
        scaled,
        selector: labels::selector(&spec.selector, interner)?,
        template_labels: interner.labels(spec.template.metadata.labels),
        template: interner.spec(template),
        paused: spec.paused,
        counts: Counts {
            total: count(status.replicas),
            updated: count(if of_one_template { status.replicas } else { status.updated_replicas }),
            ready: count(status.ready_replicas),
            available: count(status.available_replicas),
        },
        refused,
        owner: pod::controller(&meta.owner_references, interner),
        claim_templates,
        first_ordinal: count(spec.ordinals.start),
        deleting: meta.deletion_timestamp,
        finalizers: meta
            .finalizers
            .iter()
            .filter(|_| meta.deletion_timestamp.is_some())
            .map(|f| interner.text(f))
            .collect(),
        claims_go_when_scaled: spec.persistent_volume_claim_retention_policy.when_scaled == "Delete",
        min_ready_seconds: count(spec.min_ready_seconds),
        all_gone_up_to: all_gone_up_to(kind, &spec.strategy),
        bound_to,
        restarted: spec.template.metadata.annotations.restarted.map(Arc::from),
        deadline: spec.progress_deadline_seconds.map_or(DEADLINE, count),
        stuck_since: stuck.and_then(|c| c.last_transition_time),
        gitops,
        hints,
        migration,
    };
    Ok(Object { key, version, value })
}

pub(super) fn replica_set(
    slim: slim::ReplicaSet,
    interner: &mut Interner,
) -> Result<Object<Key, ReplicaSet>, Fault> {
    let slim::ReplicaSet { metadata: meta, spec } = slim;
    let key = super::key(&meta.namespace, &meta.name, interner)?;
    let scaled = scaled(&meta);
    let owner = meta.owner_references.iter().find(|o| o.controller && o.kind == "Deployment");
    let images = spec.template.spec.containers.iter();
    let value = ReplicaSet {
        key: key.clone(),
        uid: meta.uid.into(),
        deployment: owner.map(|o| interner.text(&o.name)),
        desired: count(spec.replicas.unwrap_or(1)),
        selector: labels::selector(&spec.selector, interner)?,
        revision: meta.annotations.revision.and_then(|r| r.parse().ok()).unwrap_or(0),
        created: created(meta.creation_timestamp)?,
        images: images.map(|c| (interner.text(&c.name), interner.text(image_tag(&c.image)))).collect(),
        scaled,
    };
    Ok(Object { key, version: meta.resource_version.into(), value })
}

/// When who holds `spec.replicas` last wrote.
fn scaled(meta: &slim::OwnedMeta) -> Option<Timestamp> {
    let writers = meta.managed_fields.iter().filter(|m| m.fields.spec.replicas.is_some());
    writers.filter_map(|m| m.time).max()
}

/// What the annotations say, and the ConfigMaps among the volumes.
fn hints(notes: &slim::Annotations, template: &slim::PodSpec, interner: &mut Interner) -> Hints {
    let mut config_maps: Vec<Mounted> = Vec::new();
    for volume in &template.volumes {
        let projected = volume.projected.sources.iter().filter_map(|s| s.config_map.as_ref());
        for source in volume.config_map.iter().chain(projected).filter(|s| !s.name.is_empty()) {
            let items = source.items.as_ref().filter(|items| !items.is_empty());
            let items =
                items.map(|items| items.iter().map(|i| (i.key.as_str().into(), i.path.as_str().into())));
            let alone = Mounted {
                config_map: interner.text(&source.name),
                items: items.map(Iterator::collect),
                ..Mounted::default()
            };
            let mounts = template.containers.iter().flat_map(|c| c.volume_mounts.iter().map(move |m| (c, m)));
            let mounts = mounts.filter(|(_, mount)| mount.name == volume.name);
            let before = config_maps.len();
            config_maps.extend(mounts.map(|(container, mount)| Mounted {
                container: interner.text(&container.name),
                at: interner.text(&mount.mount_path),
                sub_path: interner.text(&mount.sub_path),
                ..alone.clone()
            }));
            if config_maps.len() == before {
                config_maps.push(alone);
            }
        }
    }
    config_maps.shrink_to_fit();
    let mut config_maps = config_maps.into();
    interner.mounts(&mut config_maps);
    Hints { config_maps, ..Hints::read(notes.request_memory.as_deref(), notes.max_children.as_deref()) }
}

/// Signs by which a tool that applies manifests is known: its field managers, as written by its releases.
const TOOLS: [(&str, &[&str]); 3] = [
    ("Argo CD", &["argocd-controller", "argocd-application-controller", "argocd-server"]),
    ("Flux", &["kustomize-controller", "helm-controller"]),
    ("Helm", &["helm"]),
];

/// Who owns the manifest: by label or annotation, or else by the field managers. Helm comes last: Argo CD and Flux
/// install charts too, and are the ones that come back.
fn gitops(meta: &slim::OwnedMeta, interner: &mut Interner) -> Option<GitOps> {
    let label = |name: &str| meta.labels.get(name).filter(|v| !v.is_empty()).map(String::as_str);
    let notes = &meta.annotations;
    let managed_by = |tool: &str| label("app.kubernetes.io/managed-by") == Some(tool);
    let owner = |tool: &str| -> Option<Option<&str>> {
        match tool {
            "Argo CD" => {
                // `APP:GROUP/KIND:NAMESPACE/NAME`
                let tracked = notes.argo_tracking.as_deref().and_then(|id| id.split(':').next());
                tracked.or_else(|| label("argocd.argoproj.io/instance")).map(Some)
            }
            "Flux" => {
                let name = label("kustomize.toolkit.fluxcd.io/name");
                name.or_else(|| label("helm.toolkit.fluxcd.io/name")).map(Some)
            }
            _ => notes.helm_release.as_deref().map(Some).or_else(|| managed_by("Helm").then_some(None)),
        }
    };
    // Whether each entry of a tool's field managers holds `spec.replicas`.
    let entries = |managers: &[&str]| -> Vec<bool> {
        let mine = meta.managed_fields.iter().filter(|m| managers.contains(&m.manager.as_str()));
        mine.map(|m| m.fields.spec.replicas.is_some()).collect()
    };
    let named = TOOLS.iter().find_map(|(tool, managers)| owner(tool).map(|name| (tool, managers, name)));
    let managing = || TOOLS.iter().find(|(_, managers)| !entries(managers).is_empty());
    let (tool, managers, name) =
        named.or_else(|| managing().map(|(tool, managers)| (tool, managers, None)))?;
    let replicas = entries(managers).contains(&true);
    Some(GitOps { tool: interner.text(tool), owner: name.map(Arc::from), replicas })
}
