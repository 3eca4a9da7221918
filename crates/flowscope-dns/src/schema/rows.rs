//! Transactions as rows of EVE and Zeek.

use crate::DnsTransaction;

/// EVE's rows: each message by itself.
pub(super) fn messages(transaction: &DnsTransaction, row: &mut dyn FnMut(&DnsTransaction)) {
    let (Some(query), Some(response)) = (&transaction.query, &transaction.response) else {
        return row(transaction);
    };
    row(&DnsTransaction::of_message(query.clone(), transaction.numbers.query));
    row(&DnsTransaction::of_message(response.clone(), transaction.numbers.response));
}

/// Zeek's lines: one for the query and its response, then one for each time the query was repeated. To Zeek a
/// repeated query is another one, and the response belongs to the first.
pub(super) fn lines(transaction: &DnsTransaction, row: &mut dyn FnMut(&DnsTransaction)) {
    row(transaction);
    let Some(query) = &transaction.query else { return };
    for &ts in &transaction.repeated {
        let mut repeated = query.clone();
        repeated.ts = ts;
        row(&DnsTransaction::of_message(repeated, transaction.numbers.query));
    }
}
