//! What each row was allowed: the clauses of the protocols, side by side.

use alluvium_results::{Results, Row};
use serde::Serialize;

use crate::label::one_line;

/// The heading above the clauses.
pub(crate) const TITLE: &str = "What each row was allowed";

/// The clauses of every row that ran under a protocol.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Allowances {
    /// The names of all clauses, in the order of the rows.
    pub(crate) clauses: Vec<String>,
    /// The rows, in the order of the configuration.
    pub(crate) rows: Vec<AllowedRow>,
}

/// What one row was allowed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AllowedRow {
    pub(crate) name: String,
    pub(crate) protocol: String,
    /// One value for each clause; `None` if the protocol of the row does not have it.
    pub(crate) values: Vec<Option<String>>,
}

impl Allowances {
    pub(crate) fn new(results: &Results) -> Self {
        let mut clauses: Vec<&str> = Vec::new();
        for clause in ruled(results).flat_map(|row| &row.clauses) {
            if !clauses.contains(&clause.name.as_str()) {
                clauses.push(&clause.name);
            }
        }
        let value = |row: &Row, name: &str| {
            row.clauses.iter().find(|clause| clause.name == name).map(|clause| one_line(&clause.value))
        };
        let row = |row: &Row| AllowedRow {
            name: one_line(&row.name),
            protocol: one_line(&row.protocol),
            values: clauses.iter().map(|name| value(row, name)).collect(),
        };
        Self { rows: ruled(results).map(row).collect(), clauses: clauses.iter().map(|name| one_line(name)).collect() }
    }
}

/// Whether rows ran under different protocols. If so, the report shows what each row was allowed.
pub(crate) fn differs(results: &Results) -> bool {
    let mut rows = ruled(results);
    let first = rows.next();
    rows.any(|row| first.is_some_and(|first| (&first.protocol, &first.clauses) != (&row.protocol, &row.clauses)))
}

/// The protocols of the rows, each once; that of the configuration if no row has one.
pub(crate) fn protocols(results: &Results) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for row in ruled(results) {
        if !kinds.contains(&row.protocol.as_str()) {
            kinds.push(&row.protocol);
        }
    }
    if kinds.is_empty() {
        kinds.push(&results.protocol);
    }
    one_line(&kinds.join(", "))
}

/// The rows with a protocol.
fn ruled(results: &Results) -> impl Iterator<Item = &Row> {
    results.rows.iter().filter(|row| !row.protocol.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn rows_have_the_clauses_of_their_own_protocols() {
        let results = example::mixed();
        let allowed = Allowances::new(&results);
        assert_eq!(allowed.clauses, ["contacts a device", "rounds", "data that the centre sees"]);
        let rows: Vec<_> = allowed.rows.iter().map(|row| (row.name.as_str(), row.protocol.as_str())).collect();
        assert_eq!(rows, [("pld", "dcl"), ("fedavg", "federated"), ("finetune", "centralised")]);
        assert_eq!(allowed.rows[1].values, [Some("4".to_owned()), Some("2".to_owned()), Some("surrogate".to_owned())]);
        assert_eq!(allowed.rows[2].values[1], None);
        assert_eq!(protocols(&results), "dcl, federated, centralised");
    }

    #[test]
    fn protocols_differ_in_kind_or_in_a_clause() {
        let mut results = example::mixed();
        assert!(differs(&results));
        results.rows.truncate(1);
        assert!(!differs(&results), "a single row");
        results.rows.push(results.rows[0].clone());
        assert!(!differs(&results), "the same protocol");
        results.rows[1].clauses[0].value = "4".into();
        assert!(differs(&results));
        assert!(!differs(&example::results()), "rows of no protocol");
        assert_eq!(protocols(&example::results()), "dcl");
    }
}
