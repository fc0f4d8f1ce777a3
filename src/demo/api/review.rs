//! Reviews: what may I do, who am I.

use serde_json::{Value, json};

use super::failure::Failure;
use super::reply::Reply;
use super::{Request, Surroundings, write};
use crate::store::stamp;
use crate::world::World;

/// Answers the creation of a review.
///
/// # Errors
/// 400 for a body that is not one, 405 for another method than POST.
pub(super) fn answer(
    review: &str,
    world: &World,
    around: &Surroundings<'_>,
    request: &Request,
) -> Result<Reply, Failure> {
    if request.method != "POST" {
        return Err(Failure::method());
    }
    let now = stamp(world.store.now());
    let body = write::json_body(request, review)?;
    let fields = |api: &str| {
        json!({"managedFields": [{
            "manager": request.manager(),
            "operation": "Update",
            "apiVersion": api,
            "time": now,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {}},
        }]})
    };
    let answer = match review {
        "selfsubjectaccessreviews" => {
            let api = "authorization.k8s.io/v1";
            typed(&body, "SelfSubjectAccessReview")?;
            if !body["spec"]["resourceAttributes"].is_object()
                && !body["spec"]["nonResourceAttributes"].is_object()
            {
                let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
                let fault = super::failure::Fault::invalid("spec.resourceAttributes", &Value::Null, why);
                return Err(Failure::invalid(
                    "authorization.k8s.io",
                    "SelfSubjectAccessReview",
                    "",
                    &[fault],
                ));
            }
            json!({
                "kind": "SelfSubjectAccessReview",
                "apiVersion": api,
                "metadata": fields(api),
                "spec": body["spec"],
                "status": around.users.review(&request.user, &body["spec"]),
            })
        }
        "selfsubjectrulesreviews" => {
            typed(&body, "SelfSubjectRulesReview")?;
            let namespace = body["spec"]["namespace"].as_str().unwrap_or_default();
            if namespace.is_empty() {
                return Err(Failure::bad_request("no namespace on request"));
            }
            json!({
                "kind": "SelfSubjectRulesReview",
                "apiVersion": "authorization.k8s.io/v1",
                "metadata": {},
                "spec": {},
                "status": around.users.rules(&request.user, namespace),
            })
        }
        _ => {
            typed(&body, "SelfSubjectReview")?;
            json!({
                "kind": "SelfSubjectReview",
                "apiVersion": "authentication.k8s.io/v1",
                "metadata": {"creationTimestamp": now},
                "status": {"userInfo": {
                    "username": request.user.name,
                    "groups": request.user.groups,
                    "extra": {"authentication.kubernetes.io/credential-id": ["TOKEN"]},
                }},
            })
        }
    };
    Ok(Reply::value(201, answer))
}

fn typed(body: &Value, kind: &str) -> Result<(), Failure> {
    if body["kind"].is_null() || body["kind"] == kind {
        return Ok(());
    }
    Err(Failure::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind"
    )))
}
