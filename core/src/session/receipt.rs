//! Receipts as the opaque octets that clients carry.

use bytes::{Buf, BufMut};

use crate::{
    dispatcher::Receipt,
    error::{Error, ErrorKind, Result},
    id::{Offset, PartitionId},
};

/// Octets of a receipt.
pub const RECEIPT_LEN: usize = 20;

/// A receipt as octets.
pub fn receipt_to_octets(receipt: Receipt) -> [u8; RECEIPT_LEN] {
    let mut octets = [0; RECEIPT_LEN];
    let mut out = octets.as_mut_slice();
    out.put_u32(receipt.partition.0);
    out.put_u64(receipt.offset.0);
    out.put_u64(receipt.lease);
    octets
}

/// Reads what [`receipt_to_octets`] wrote.
///
/// # Errors
/// `Invalid` where the length is not that of a receipt. Whether it names a lease is seen when it is
/// settled.
pub fn receipt_from_octets(octets: &[u8]) -> Result<Receipt> {
    if octets.len() != RECEIPT_LEN {
        let message = format!(
            "a receipt has {RECEIPT_LEN} octets, this one {}; send it back as it came",
            octets.len()
        );
        return Err(Error::new(ErrorKind::Invalid, "read receipt", message));
    }
    let mut octets = octets;
    Ok(Receipt {
        partition: PartitionId(octets.get_u32()),
        offset: Offset(octets.get_u64()),
        lease: octets.get_u64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_reads_back_and_a_cut_one_is_refused() {
        let receipt = Receipt {
            partition: PartitionId(1),
            offset: Offset(u64::MAX),
            lease: 3,
        };
        let octets = receipt_to_octets(receipt);
        assert_eq!(receipt_from_octets(&octets).unwrap(), receipt);
        assert!(receipt_from_octets(&octets[1..]).is_err());
    }
}
