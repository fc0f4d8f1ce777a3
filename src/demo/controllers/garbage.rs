//! The garbage collector: dependents follow their owners, before them, after them, or not at all.

use serde_json::Value;

use crate::kind::{KINDS, Kind};
use crate::store::{DeleteOptions, Object};
use crate::value::{list, set, terminating, text, uid};
use crate::world::World;

const MANAGER: &str = "kube-controller-manager";

/// An object is gone: what only it owned goes too, what others own as well loses the reference.
pub(crate) fn orphaned(world: &mut World, gone: &Value) {
    let Some(dependents) = world.dependents.get(uid(gone)).cloned() else { return };
    for (kind, space, called) in dependents {
        let kind = &KINDS[kind];
        let Some(dependent) = world.store.get(kind, &space, &called).cloned() else { continue };
        if gone["kind"] == "Job" && kind == Kind::POD {
            super::job::release(world, &dependent);
        }
        let others = list(&dependent["metadata"]["ownerReferences"])
            .any(|owner| owner["uid"] != gone["metadata"]["uid"] && exists(world, &space, owner));
        if others {
            disown(world, kind, &space, &called, uid(gone));
        } else if !terminating(&dependent) {
            world.store.delete(kind, &space, &called, &DeleteOptions::default());
        }
    }
}

/// An object under deletion that still has a finalizer: orphans its dependents, or waits for them to go first.
pub(crate) fn owner(world: &mut World, kind: &'static Kind, space: &str, called: &str) {
    let Some(object) = world.store.get(kind, space, called).cloned() else { return };
    if !terminating(&object) {
        return;
    }
    let has = |finalizer: &str| list(&object["metadata"]["finalizers"]).any(|other| other == finalizer);
    let dependents: Vec<_> =
        world.dependents.get(uid(&object)).cloned().unwrap_or_default().into_iter().collect();
    if has("orphan") {
        for (kind, space, called) in dependents {
            disown(world, &KINDS[kind], &space, &called, uid(&object));
        }
        finish(world, kind, space, called, "orphan");
    } else if has("foregroundDeletion") {
        let blocking: Vec<(usize, String, String)> = dependents
            .into_iter()
            .filter(|(kind, space, called)| {
                world.store.get(&KINDS[*kind], space, called).is_some_and(|d| blocks(d, uid(&object)))
            })
            .collect();
        if blocking.is_empty() {
            finish(world, kind, space, called, "foregroundDeletion");
        }
        for (kind, space, called) in blocking {
            let kind = &KINDS[kind];
            let Some(dependent) = world.store.get(kind, &space, &called).cloned() else { continue };
            if !terminating(&dependent) {
                let foreground = world.dependents.contains_key(uid(&dependent));
                world.store.delete(
                    kind,
                    &space,
                    &called,
                    &DeleteOptions { foreground, ..DeleteOptions::default() },
                );
            }
        }
    }
}

fn blocks(dependent: &Object, owner: &str) -> bool {
    list(&dependent["metadata"]["ownerReferences"])
        .any(|reference| reference["uid"] == owner && reference["blockOwnerDeletion"] == true)
}

fn exists(world: &World, space: &str, owner: &Value) -> bool {
    let Some(kind) = Kind::of(text(&owner["apiVersion"]), text(&owner["kind"])) else { return true };
    let space = if kind.namespaced { space } else { "" };
    world
        .store
        .get(kind, space, text(&owner["name"]))
        .is_some_and(|found| found["metadata"]["uid"] == owner["uid"])
}

fn disown(world: &mut World, kind: &'static Kind, space: &str, called: &str, owner: &str) {
    world.store.update(kind, space, called, MANAGER, |dependent| {
        let left: Vec<Value> = list(&dependent["metadata"]["ownerReferences"])
            .filter(|other| other["uid"] != owner)
            .cloned()
            .collect();
        let left = if left.is_empty() { Value::Null } else { left.into() };
        set(dependent, &["metadata", "ownerReferences"], left);
    });
}

fn finish(world: &mut World, kind: &'static Kind, space: &str, called: &str, finalizer: &str) {
    world.store.update(kind, space, called, MANAGER, |object| {
        let left: Vec<Value> =
            list(&object["metadata"]["finalizers"]).filter(|other| *other != finalizer).cloned().collect();
        let left = if left.is_empty() { Value::Null } else { left.into() };
        set(object, &["metadata", "finalizers"], left);
    });
    let done = world.store.get(kind, space, called).is_some_and(|object| {
        terminating(object) && list(&object["metadata"]["finalizers"]).next().is_none()
    });
    // A pod stays for its kubelet.
    if done && kind != Kind::POD && kind != Kind::NAMESPACE {
        world.store.remove(kind, space, called);
    }
}
