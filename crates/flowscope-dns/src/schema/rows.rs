//! Transactions as rows of EVE and Zeek.

use crate::DnsTransaction;

/// Each message by itself.
pub(super) fn messages(transaction: &DnsTransaction, row: &mut dyn FnMut(&DnsTransaction)) {
    let (Some(query), Some(response)) = (&transaction.query, &transaction.response) else {
        return row(transaction);
    };
    row(&DnsTransaction::of_message(query.clone()));
    row(&DnsTransaction::of_message(response.clone()));
}
