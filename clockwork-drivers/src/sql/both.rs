//! [`both`]: two servers are waited for at the same time.

use clockwork_core::Context;

/// Both, each with its server's place. When time runs out, the phase names one that had not answered, and never one that
/// had.
pub(super) async fn both<A: Future, B: Future>(
    (first_place, first): (String, A),
    (second_place, second): (String, B),
    cx: &Context,
) -> (A::Output, B::Output) {
    let first = async {
        let answer = first.await;
        cx.phase(format!("waiting for {second_place}"));
        answer
    };
    let second = async {
        let answer = second.await;
        cx.phase(format!("waiting for {first_place}"));
        answer
    };
    tokio::join!(first, second)
}
