//! What an endpoint is asked in a round and what its answers make of what was known, for whoever asks again and again.

use crate::{
    cluster::{Observation, Table, Trouble},
    wire::sql::{Answer, Failure, Sql},
};

/// What one endpoint is asked in a round, and what its answers make of what was known.
pub(in crate::live) trait Source {
    /// What is known of the endpoint.
    type Known: Clone;

    fn new(sql: Sql) -> Self;
    async fn ask(&mut self, before: &Self::Known) -> Result<Self::Known, Failure>;
    fn failed(before: &Self::Known, trouble: Trouble, why: &str) -> Self::Known;
    fn news(known: Self::Known) -> Observation;
}

/// The answer as a table.
pub(in crate::live) fn table(answer: Answer) -> Table {
    Table::new(answer.columns, answer.rows)
}

/// The answer to a question that may be refused for lack of a right or a table: then there is none.
pub(in crate::live) async fn optional(sql: &mut Sql, statement: &str) -> Result<Option<Table>, Failure> {
    match sql.ask(statement).await {
        Ok(answer) => Ok(Some(table(answer))),
        Err(failure) if failure.is_of_statement() => Ok(None),
        Err(failure) => Err(failure),
    }
}
