//! Label and node selectors.

use super::{Fault, Interner, each};
use crate::{
    cluster::{Operator, Requirement, Selector},
    live::slim,
};

/// `matchLabels` and `matchExpressions`, as one list of requirements.
pub(super) fn selector(given: &slim::LabelSelector, interner: &mut Interner) -> Result<Selector, Fault> {
    let mut requirements = Vec::with_capacity(given.match_labels.len() + given.match_expressions.len());
    for (key, value) in &given.match_labels {
        let operator = Operator::In(vec![interner.text(value)]);
        requirements.push(Requirement { key: interner.text(key), operator });
    }
    for expression in &given.match_expressions {
        requirements.push(requirement(expression, interner)?);
    }
    let mut selector = Selector { requirements: requirements.into() };
    interner.requirements(&mut selector.requirements);
    Ok(selector)
}

pub(super) fn requirements(
    given: &[slim::Expression],
    interner: &mut Interner,
) -> Result<Vec<Requirement>, Fault> {
    each(given, |expression| requirement(expression, interner))
}

fn requirement(given: &slim::Expression, interner: &mut Interner) -> Result<Requirement, Fault> {
    let slim::Expression { key, operator, values } = given;
    let bound = |values: &[String]| match values {
        [one] => one.parse().map_err(|_| format!("selector on {key}: `{one}` is not an integer")),
        _ => Err(format!("selector on {key}: {operator} takes one value")),
    };
    let operator = match operator.as_str() {
        "In" => Operator::In(values.iter().map(|value| interner.text(value)).collect()),
        "NotIn" => Operator::NotIn(values.iter().map(|value| interner.text(value)).collect()),
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::Gt(bound(values)?),
        "Lt" => Operator::Lt(bound(values)?),
        other => return Err(format!("selector on {key}: the operator `{other}` is not known")),
    };
    Ok(Requirement { key: interner.text(key), operator })
}
