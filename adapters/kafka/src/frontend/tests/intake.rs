//! How much of large requests is held at once.

use futures::FutureExt;

use super::{
    super::{
        inbox::Inbox,
        intake::{Intake, Share},
    },
    *,
};

const MIB: usize = 1 << 20;

fn grows(share: &mut Share, octets: usize) -> bool {
    share.grow_to(octets).now_or_never().is_some()
}

#[test]
fn requests_that_hold_all_the_room_come_to_their_end_one_by_one() {
    let intake = Intake::default();
    let mut shares: Vec<_> = (0..4).map(|_| intake.share()).collect();
    assert!(shares.iter_mut().all(|share| grows(share, 64 * MIB)));
    let [first, second, ..] = &mut shares[..] else {
        panic!("there are four");
    };
    assert!(grows(first, 100 * MIB), "one is let through");
    assert!(!grows(second, 100 * MIB), "the others wait");
    drop(shares.remove(0));
    assert!(grows(&mut shares[0], 100 * MIB), "as long as it is there");
}

#[tokio::test]
async fn what_is_announced_and_does_not_come_holds_up_nobody() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..4 {
        let mut socket = TcpStream::connect(served.address).await.unwrap();
        socket.write_i32(100 << 20).await.unwrap();
        silent.push(socket);
    }
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let value: &'static str = "x".repeat(300 << 10).leak();
    let taken = produced(&mut socket, "t", batch(&[value], None));
    let taken = tokio::time::timeout(Duration::from_secs(5), taken).await;
    assert_eq!(taken.expect("it has room").error_code, 0);
}

#[tokio::test]
async fn a_large_request_leaves_no_large_buffer_behind() {
    let mut sent = vec![7; 2 * MIB];
    sent.extend_from_slice(b"\0\0\0\x05after");
    let mut inbox = Inbox::new(&sent[..]);
    let mut share = Intake::default().share();
    let patience = Duration::from_secs(5);
    let large = inbox.request(2 * MIB, patience, &mut share).await;
    let large = large.unwrap().unwrap();
    assert_eq!(large.len(), 2 * MIB);
    assert!(
        large.is_unique(),
        "nothing but the request holds its memory"
    );
    assert_eq!(inbox.size().await.unwrap(), 5);
    let next = inbox.request(5, patience, &mut share).await;
    assert_eq!(&next.unwrap().unwrap()[..], b"after");
}
