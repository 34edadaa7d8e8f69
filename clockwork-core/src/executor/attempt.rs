//! One attempt: one look by one check, with its deadline, and what has to be undone behind it. Panics end here.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::{
    CheckError, Context, Fault, Vantage, Verdict,
    cleanup::{self, Cleanups, Todo},
    context::Run,
    duration::show,
    graph::Check,
};

/// How long a check may overrun its deadline, so that a probe that runs out of time can say what it waited for.
pub(super) const GRACE: Duration = Duration::from_millis(50);

/// What one attempt brought.
pub(super) type Raw = Result<Verdict, CheckError>;

pub(super) async fn attempt(
    run: Arc<Run>,
    index: usize,
    fresh_since: Instant,
    deadline: Instant,
    cleanups: Arc<Cleanups>,
) -> Raw {
    let graph = Arc::clone(&run.graph);
    let check = &graph.checks[index];
    let resource = check.node.map(|node| Arc::clone(&graph.nodes[node].resource));
    let vantage = check.declared.options.at.clone().map_or(Vantage::Host, Vantage::Inside);
    let mask = Arc::clone(&run.mask);
    let cx = Context::new(Arc::clone(&run), resource, vantage, fresh_since, Some(deadline), cleanups);
    let mut todo = Todo::new(run, index, cx.clone());
    let masked = async {
        let raw = look(check, &cx, deadline).await;
        // Only now: what the check held is free.
        let cleaned = todo.run().await;
        if cleaned.is_empty() { raw } else { cleanup::told(raw, &cleaned) }
    };
    mask.over(masked).await
}

async fn look(check: &Check, cx: &Context, deadline: Instant) -> Raw {
    let began = Instant::now();
    let mut look = pin!(async { check.declared.assertion.check(cx).await });
    // The dispatcher watches over all others: a timer for each attempt costs more than the rest of it.
    let mut own_time = None;
    poll_fn(|task| {
        match catch_unwind(AssertUnwindSafe(|| look.as_mut().poll(task))) {
            Ok(Poll::Ready(raw)) => return Poll::Ready(raw),
            Ok(Poll::Pending) => {}
            Err(panic) => return Poll::Ready(Err(panicked(&*panic))),
        }
        if !cx.cleanups().any() {
            return Poll::Pending;
        }
        let own_time = own_time.get_or_insert_with(|| Box::pin(sleep_until(deadline + GRACE)));
        own_time.as_mut().poll(task).map(|()| Err(overran(began.elapsed())))
    })
    .await
}

fn panicked(panic: &(dyn Any + Send)) -> CheckError {
    let what = crate::text::quote(panic_message(panic));
    CheckError::unobservable(format!("the assertion panicked: {what}")).hint("this is a bug in the assertion")
}

/// An attempt that heeded its deadline so little that it had to be ended.
pub(super) fn overran(after: Duration) -> CheckError {
    CheckError::timed_out(Fault::Observer, format!("did not finish within {}", show(after)))
        .hint("raise `timeout`, or bound what the assertion does itself")
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(message), _) => message,
        (_, Some(message)) => message,
        _ => "(no message)",
    }
}
