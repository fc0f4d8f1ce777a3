//! Which tenants have which image, counted.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::{Snapshot, TenantName, image_tag};

/// An image, and the tenants whose serving container has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImageUse {
    /// The whole reference.
    pub image: Arc<str>,
    /// Its tag.
    pub tag: String,
    /// Which tenants.
    pub tenants: Vec<TenantName>,
    /// Their ready pods that run it: a rollout may be under way.
    pub pods: usize,
}

/// The images by how many tenants have them.
pub fn images(seen: &Snapshot) -> Vec<ImageUse> {
    let mut all: BTreeMap<&str, ImageUse> = BTreeMap::new();
    for tenant in seen.tenants.values() {
        let Some(container) = tenant.workload.template.serving(&seen.tenancy.container) else { continue };
        let new = || ImageUse {
            image: container.image.clone(),
            tag: image_tag(&container.image).to_owned(),
            tenants: Vec::new(),
            pods: 0,
        };
        all.entry(&container.image).or_insert_with(new).tenants.push(tenant.name.clone());
    }
    for pod in seen.tenants.values().flat_map(|tenant| tenant.active()).filter(|pod| pod.ready) {
        let runs = pod.spec.serving(&seen.tenancy.container).and_then(|c| all.get_mut(&*c.image));
        if let Some(image) = runs {
            image.pods += 1;
        }
    }
    let mut all: Vec<_> = all.into_values().collect();
    all.sort_by(|a, b| b.tenants.len().cmp(&a.tenants.len()).then_with(|| a.image.cmp(&b.image)));
    all
}
