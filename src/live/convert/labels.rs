//! Label and node selectors.

use super::Fault;
use crate::{
    cluster::{Operator, Requirement, Selector},
    live::slim,
};

/// `matchLabels` and `matchExpressions`, as one list of requirements.
pub(super) fn selector(given: slim::LabelSelector) -> Result<Selector, Fault> {
    let equal = |(key, value)| Requirement { key, operator: Operator::In(vec![value]) };
    let mut requirements: Vec<_> = given.match_labels.into_iter().map(equal).collect();
    for expression in given.match_expressions {
        requirements.push(requirement(expression)?);
    }
    Ok(Selector { requirements })
}

pub(super) fn requirements(given: Vec<slim::Expression>) -> Result<Vec<Requirement>, Fault> {
    given.into_iter().map(requirement).collect()
}

fn requirement(given: slim::Expression) -> Result<Requirement, Fault> {
    let slim::Expression { key, operator, values } = given;
    let bound = |values: &[String]| match values {
        [one] => one.parse().map_err(|_| format!("selector on {key}: `{one}` is not an integer")),
        _ => Err(format!("selector on {key}: {operator} takes one value")),
    };
    let operator = match operator.as_str() {
        "In" => Operator::In(values),
        "NotIn" => Operator::NotIn(values),
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::Gt(bound(&values)?),
        "Lt" => Operator::Lt(bound(&values)?),
        other => return Err(format!("selector on {key}: the operator `{other}` is not known")),
    };
    Ok(Requirement { key, operator })
}
