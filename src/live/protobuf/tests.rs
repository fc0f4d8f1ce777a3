//! What a real kube-apiserver 1.36 wrote, in protobuf and in JSON.

use std::{cell::RefCell, collections::BTreeSet, fmt};

use serde_json::Value;

use super::{FieldType, Message, schema, status};
use crate::live::{
    convert::{Deployments, Interner, Kind, Pods, ReplicaSets},
    list::{ListCutter, Read},
    piece::PageMeta,
};

macro_rules! captured {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/kubernetes/protobuf/", $name))
    };
}

/// Reads a list that comes in chunks of this size; `None`: it is not whole.
fn read<K: Kind>(reply: &[u8], size: usize) -> Result<Option<(Read<K>, PageMeta)>, String> {
    let mut cutter = ListCutter::of(!reply.starts_with(b"{"));
    let (mut read, mut interner, head) = (Read::default(), Interner::default(), RefCell::default());
    for chunk in reply.chunks(size) {
        cutter.push(chunk);
        read.take_all(&mut cutter, &mut interner, |meta| drop(head.replace(meta)))?;
    }
    Ok(cutter.is_whole().then(|| (read, head.take())))
}

fn same<K: Kind<Key: fmt::Debug, Value: fmt::Debug + PartialEq>>(
    protobuf: &[u8],
    json: &[u8],
    at_least: usize,
) {
    let (from_json, head) = read::<K>(json, 4096).expect("a list").expect("all of it");
    assert!(from_json.odd.is_empty() && from_json.all.len() >= at_least, "{:?}", from_json.odd);
    let sizes = if protobuf.len() < 32_768 {
        [1, 2, 3, 61, 1000, 65_536]
    } else {
        [1024, 4096, 4097, 16_384, 65_536, 131_072]
    };
    for size in sizes {
        let (from_protobuf, meta) = read::<K>(protobuf, size).expect("a list").expect("all of it");
        assert!(from_protobuf.odd.is_empty(), "{:?}", from_protobuf.odd);
        assert_eq!(meta.resource_version, head.resource_version);
        for (one, other) in from_protobuf.all.iter().zip(&from_json.all) {
            assert_eq!(one, other, "in chunks of {size}");
        }
        assert_eq!(from_protobuf.all.len(), from_json.all.len());
    }
}

#[test]
fn objects_are_the_same_in_protobuf_and_in_json() {
    same::<Pods>(captured!("pods.pb"), captured!("pods.json"), 5);
    same::<Deployments>(captured!("deployments.pb"), captured!("deployments.json"), 2);
    same::<ReplicaSets>(captured!("replicasets.pb"), captured!("replicasets.json"), 2);
}

/// Every field of the table is in a captured object, so that its number is proven; those that are not are named here.
#[test]
fn the_captured_objects_have_what_the_table_has() {
    /// A field by the address of its message and its name.
    type Of = (usize, &'static str);
    fn look(message: &'static Message, json: &Value, all: &mut BTreeSet<Of>, seen: &mut BTreeSet<Of>) {
        for field in message.fields {
            let of = (std::ptr::from_ref(message).addr(), field.name);
            let value = &json[field.name];
            match &field.holds {
                FieldType::Inline(inline) => look(inline, json, all, seen),
                holds => {
                    all.insert(of);
                    if !value.is_null() {
                        seen.insert(of);
                    }
                    match holds {
                        FieldType::Of(inner) if !value.is_null() => look(inner, value, all, seen),
                        FieldType::List(FieldType::Of(inner)) => {
                            let elements = value.as_array().into_iter().flatten();
                            elements.for_each(|one| look(inner, one, all, seen));
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    let (mut all, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let kinds: [(&Message, &[u8]); 3] = [
        (&schema::POD, captured!("pods.json")),
        (&schema::DEPLOYMENT, captured!("deployments.json")),
        (&schema::REPLICA_SET, captured!("replicasets.json")),
    ];
    for (message, json) in kinds {
        let list: Value = serde_json::from_slice(json).expect("JSON");
        let items = list["items"].as_array().expect("items");
        items.iter().for_each(|item| look(message, item, &mut all, &mut seen));
    }
    let missing: Vec<_> = all.difference(&seen).map(|(_, name)| *name).collect();
    assert_eq!(missing, [""; 0]);
    assert!(seen.len() > 100, "{}", seen.len());
}

#[test]
fn a_page_says_what_comes_after_it() {
    let (page, head) = read::<Pods>(captured!("page.pb"), 100).expect("a list").expect("all of it");
    assert_eq!((page.all.len(), head.remaining_item_count), (1, Some(4)));
    assert!(head.r#continue.is_some_and(|token| token.starts_with("eyJ2")));
}

#[test]
fn a_refusal_is_read() {
    let refused = status(captured!("refused.pb")).expect("a status");
    assert_eq!((refused.code, refused.reason.as_str()), (400, "BadRequest"));
    assert!(refused.message.starts_with("invalid continue token"), "{}", refused.message);
    assert_eq!(status(b"k8s\0\xff"), None);
}

#[test]
fn what_is_broken_is_told_and_costs_no_other_object() {
    let whole = captured!("pods.pb");
    // Four bytes of the envelope come after the list.
    for end in (0..whole.len() - 4).step_by(17) {
        assert!(read::<Pods>(&whole[..end], 4096).is_ok_and(|read| read.is_none()), "cut at {end}");
    }
    // The name of a node that is a number.
    let at = whole.windows(4).position(|w| w == [10 << 3 | 2, 2, b'w', b'1']).expect("nodeName");
    let mut odd = whole.to_vec();
    odd[at..at + 4].copy_from_slice(&[10 << 3, 1, 4 << 3, 1]);
    let (read_odd, _) = read::<Pods>(&odd, 512).expect("a list").expect("all of it");
    assert_eq!((read_odd.all.len(), read_odd.odd.len()), (4, 1));
    let (name, why) = (&read_odd.odd[0].name, &read_odd.odd[0].why);
    assert!(
        !name.is_empty() && why.contains("spec: nodeName") && read_odd.odd[0].version.is_some(),
        "{name} {why}"
    );
    // Nothing that comes makes it panic.
    for (at, with) in (0..whole.len()).step_by(7).zip([0, 0x7f, 0xff, 0x08].into_iter().cycle()) {
        let mut broken = whole.to_vec();
        broken[at] = with;
        let _ = read::<Pods>(&broken, 4096);
    }
    for text in [&b"{\"items\":[]}"[..], b"k8s\0\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"k8s1"] {
        let mut cutter = ListCutter::of(true);
        cutter.push(text);
        let taken = Read::<Pods>::default().take_all(&mut cutter, &mut Interner::default(), drop);
        assert!(taken.is_err(), "{text:?}");
    }
}
